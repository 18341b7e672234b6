/** Ids that wait for an instant, a bounded number of them. */
export interface Waiting {
  /** Lets an id wait until `at`, in milliseconds since the epoch. Where there are too many, the earliest noted is forgotten. */
  note(id: string, at: number): void;
  /** At most `limit` ids whose instant is not after `now`. They wait behind all others then, until they are forgotten. */
  take(now: number, limit: number): readonly string[];
  forget(id: string): void;
}

export function createWaiting(size: number): Waiting {
  /** In the order in which they have their turn. */
  const instants = new Map<string, number>();
  return {
    note(id, at) {
      instants.set(id, at);
      const [first] = instants.keys();
      if (instants.size > size && first !== undefined) instants.delete(first);
    },
    take(now, limit) {
      const due: string[] = [];
      for (const [id, at] of instants) {
        if (due.length >= limit) break;
        if (at <= now) due.push(id);
      }
      // So that those of which nothing comes do not keep others from their turn.
      for (const id of due) {
        const at = instants.get(id) ?? now;
        instants.delete(id);
        instants.set(id, at);
      }
      return due;
    },
    forget(id) {
      instants.delete(id);
    },
  };
}
