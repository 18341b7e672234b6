import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Queryable } from "../../ledger/read.ts";
import { isUnreachable } from "../ledger-errors.ts";
import { createUsedOnce, type Use, type Used, type UsedOnce } from "./used-once.ts";

/** Milliseconds between two looks whether the home database can be asked again. */
const LOOK_EVERY = 2_000;
/** Seconds after an outage for which something may still be accepted that was used while it lasted. */
const REMEMBERED = 600;

export interface UsedOnceElsewhereOptions {
  readonly home: UsedOnce;
  /** The databases of other regions, as far as they were reached. */
  readonly elsewhere: () => readonly Queryable[];
}

/** Remembers in the first of the databases of regions that is reached, where this server has none of the home region. */
export function createUsedOnceIn(reached: () => readonly Queryable[]): UsedOnce {
  const made = new WeakMap<Queryable, UsedOnce>();
  async function first(): Promise<UsedOnce> {
    const [db] = reached();
    if (db === undefined) throw notNow(undefined);
    const one = made.get(db) ?? createUsedOnce({ db });
    made.set(db, one);
    return one;
  }
  return { use: async (use) => (await first()).use(use), forget: async (use) => (await first()).forget(use) };
}

/**
 * Remembers in the database of another region what was used while the home database cannot be asked: of one region, as long as that lasts. What
 * may have been used at home before, by when it was made and how long it can be used, is not accepted until it can be asked again; what may
 * have been used elsewhere is asked for there, too, afterwards. Servers that lose the home database at different times, or ask different
 * regions, do not know what the others accepted: the one exception to "once".
 */
export function createUsedOnceElsewhere({ home, elsewhere }: UsedOnceElsewhereOptions): UsedOnce {
  /** Where uses are remembered since the home database could not be asked; `until`: when it could be again. Seconds since the epoch. */
  let outage: { readonly since: number; readonly usedOnce: UsedOnce; until?: number } | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;

  /** Finds out, while nobody waits for it, whether the home database can be asked again. */
  function look(lasting: NonNullable<typeof outage>): void {
    if (performance.now() - lookedAt < LOOK_EVERY) return;
    lookedAt = performance.now();
    home.forget({ scope: "", holder: "", id: "", until: 0 }).then(
      () => {
        lasting.until = seconds();
      },
      () => undefined,
    );
  }

  async function useElsewhere(
    use: Use,
    { since, usedOnce }: NonNullable<typeof outage>,
    cause?: unknown,
  ): Promise<Used> {
    if (!isAcceptedSince(since, use)) throw notNow(cause);
    return usedOnce.use(use);
  }

  return {
    async use(use) {
      if (outage !== undefined && outage.until === undefined) {
        look(outage);
        return useElsewhere(use, outage);
      }
      if (outage?.until !== undefined && seconds() > outage.until + REMEMBERED) outage = undefined;
      // It may have been used while the outage lasted.
      if (outage !== undefined && isAcceptedSince(outage.since, use)) {
        const before = await outage.usedOnce.use(use);
        if (before !== "FIRST") return before;
      }
      try {
        return await home.use(use);
      } catch (error) {
        const [db] = elsewhere();
        if (!isUnreachable(error) || db === undefined) throw error;
        outage = { since: seconds(), usedOnce: createUsedOnce({ db }) };
        return useElsewhere(use, outage, error);
      }
    },
    async forget(use) {
      if (outage !== undefined && outage.until === undefined) return outage.usedOnce.forget(use);
      await home.forget(use);
    },
  };
}

/** Whether it was made so late that nobody can have used it before `since`, whatever the clock it was made by. */
function isAcceptedSince(since: number, { madeAt, until }: Use): boolean {
  return madeAt !== undefined && madeAt > since + (until - madeAt);
}

const seconds = () => Math.ceil(Date.now() / 1_000);

function notNow(cause: unknown): LedgerUnavailableError {
  return new LedgerUnavailableError(
    "whether it was used before cannot be found out now; nothing was recorded: repeat the call with a new one",
    2,
    cause,
  );
}
