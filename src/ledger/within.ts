/** What did not return in time. A call of the database may still record its batch, until a retry has superseded it. */
export class OverdueError extends Error {
  override readonly name = "OverdueError";
}

/**
 * What `call` resolves with or rejects with, or an OverdueError after `milliseconds`, whatever then becomes of the call.
 *
 * @param what stands in the message: "<what> did not answer within … ms".
 */
export async function within<Result>(what: string, milliseconds: number, call: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_, reject) => {
    const late = () => reject(new OverdueError(`${what} did not answer within ${Math.round(milliseconds)} ms`));
    timer = setTimeout(late, milliseconds);
  });
  try {
    return await Promise.race([call, overdue]);
  } finally {
    clearTimeout(timer);
  }
}
