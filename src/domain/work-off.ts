import { LedgerUnavailableError } from "../ledger/errors.ts";

/** What became of rows that were due. */
export interface WorkedOff<Row, Outcome> {
  readonly done: readonly Outcome[];
  /** Left as they are, each for its own reason; the others were settled all the same. */
  readonly failed: readonly { readonly row: Row; readonly error: unknown }[];
  /** Whether others may still be due. */
  readonly more: boolean;
}

/**
 * Settles what is due, at most `limit` rows, those that fail not counted: one that cannot be settled never holds up the
 * ones behind it. `read` answers the next `limit` rows behind the one given, in an order that does not change. Throws
 * LedgerUnavailableError when nothing at all can be recorded now.
 */
export async function workOff<Row, Outcome>(
  limit: number,
  read: (last: Row | undefined) => Promise<readonly Row[]>,
  settle: (row: Row) => Promise<Outcome>,
): Promise<WorkedOff<Row, Outcome>> {
  const done: Outcome[] = [];
  const failed: { readonly row: Row; readonly error: unknown }[] = [];
  let more = true;
  let last: Row | undefined;
  while (more && done.length < limit) {
    const rows = await read(last);
    const outcomes = await Promise.allSettled(rows.map(settle));
    const errors = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
    const away = errors.find((error) => error instanceof LedgerUnavailableError);
    if (away !== undefined && errors.length === rows.length) throw away;
    for (const [index, row] of rows.entries()) {
      const outcome = outcomes[index];
      if (outcome?.status === "fulfilled") done.push(outcome.value);
      else failed.push({ row, error: outcome?.reason });
    }
    last = rows.at(-1);
    more = rows.length === limit;
  }
  return { done, failed, more };
}
