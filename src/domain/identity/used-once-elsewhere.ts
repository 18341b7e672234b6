import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Queryable } from "../../ledger/read.ts";
import { createUsedOnce, type Use, type Used, type UsedOnce } from "./used-once.ts";

/** Milliseconds between two looks whether the home database can be asked again. */
const LOOK_EVERY = 2_000;

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
 * Remembers in the database of another region what was used while the home database cannot be asked. What was made before that may have been
 * used at home, and is not accepted until it can be asked; nor is what does not say when it was made. Servers that lose the
 * home database at different times, or ask different regions, do not know what the others accepted: the one exception to "once".
 */
export function createUsedOnceElsewhere({ home, elsewhere }: UsedOnceElsewhereOptions): UsedOnce {
  const made = new WeakMap<Queryable, UsedOnce>();
  /** Seconds since the epoch at which the home database could not be asked for the first time; undefined: it can be. */
  let downSince: number | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;

  function usedOnceIn(db: Queryable): UsedOnce {
    let one = made.get(db);
    if (one === undefined) {
      one = createUsedOnce({ db });
      made.set(db, one);
    }
    return one;
  }

  /** Finds out, while nobody waits for it, whether the home database can be asked again. */
  function look(): void {
    if (performance.now() - lookedAt < LOOK_EVERY) return;
    lookedAt = performance.now();
    home.forget({ scope: "", holder: "", id: "", until: 0 }).then(
      () => {
        downSince = undefined;
      },
      () => undefined,
    );
  }

  async function useElsewhere(use: Use, since: number, cause: unknown): Promise<Used> {
    if (use.madeAt === undefined || use.madeAt <= since) throw notNow(cause);
    for (const db of elsewhere()) {
      try {
        return await usedOnceIn(db).use(use);
      } catch (error) {
        if (!(error instanceof LedgerUnavailableError)) throw error;
      }
    }
    throw notNow(cause);
  }

  return {
    async use(use) {
      if (downSince !== undefined) {
        look();
        return useElsewhere(use, downSince, undefined);
      }
      try {
        return await home.use(use);
      } catch (error) {
        if (!(error instanceof LedgerUnavailableError) || elsewhere().length === 0) throw error;
        downSince ??= Math.ceil(Date.now() / 1_000);
        return useElsewhere(use, downSince, error);
      }
    },
    async forget(use) {
      if (downSince === undefined) return home.forget(use);
      await Promise.all(elsewhere().map((db) => usedOnceIn(db).forget(use)));
    },
  };
}

function notNow(cause: unknown): LedgerUnavailableError {
  return new LedgerUnavailableError(
    "whether it was used before cannot be found out now; nothing was recorded: repeat the call with a new one",
    2,
    cause,
  );
}
