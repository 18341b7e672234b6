/** Runs `work` when all work that was given one of `keys` before has ended. What shares no key runs at once. */
export type Queues = <Result>(keys: readonly string[], work: () => Promise<Result>) => Promise<Result>;

/** A queue for each key, in one process. Nothing waits for what came after it, so whoever waits for several keys never waits forever. */
export function createQueues(): Queues {
  /** Resolves when the last work with the key has ended. */
  const last = new Map<string, Promise<void>>();
  return async (keys, work) => {
    const before = keys.map((key) => last.get(key));
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    for (const key of keys) last.set(key, ended);
    try {
      await Promise.all(before);
      return await work();
    } finally {
      end();
      for (const key of keys) if (last.get(key) === ended) last.delete(key);
    }
  };
}
