import type { Queryable } from "../../../ledger/read.ts";
import { readWindowValues, type WindowAsked, type WindowRead } from "../../../ledger/windows.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";

/** Windows that are kept. */
const MOST = 10_000;
/** Milliseconds after which a window is read as a whole again. */
const LIFETIME = 600_000;

interface Known {
  readonly read: WindowRead;
  /** When it was read as a whole, as of `performance.now()`. */
  readonly wholeAt: number;
}

/**
 * Reads windows that end now. What one came to is kept, so that the next call reads only what was recorded since and what has become too
 * old: else each proposal would read all of its window, which may be a million entries.
 */
export function createKnownWindows(db: Queryable) {
  /** Least recently used first. */
  const known = new Map<string, Known>();
  return {
    /** What windows came to, by their names: equal windows have equal names. One round trip. */
    async read(asked: ReadonlyMap<string, WindowAsked>): Promise<ReadonlyMap<string, WindowRead>> {
      const begun = performance.now();
      const all = [...asked].map(([name, window]) => {
        const had = known.get(name);
        return { name, window, had: had !== undefined && begun - had.wholeAt < LIFETIME ? had : undefined };
      });
      const read = await withLedgerErrors(
        readWindowValues(
          db,
          all.map(({ window, had }) => ({ ...window, from: had?.read })),
        ),
      );
      const found = new Map<string, WindowRead>();
      for (const [n, { name, had }] of all.entries()) {
        const one = read[n];
        if (one === undefined) continue;
        found.set(name, one);
        known.delete(name);
        known.set(name, { read: one, wholeAt: had?.wholeAt ?? begun });
      }
      for (const name of known.keys()) {
        if (known.size <= MOST) break;
        known.delete(name);
      }
      return found;
    },
  };
}
