import DataLoader from "dataloader";
import { LedgerDamagedError, LedgerUnavailableError } from "../../../ledger/errors.ts";
import type { Ledgers } from "../../../ledger/ledger.ts";
import { type ActionKey, type ActionSource, type Loaded, loadAll } from "./load.ts";

export interface ActionLoaderOptions extends ActionSource {
  readonly ledgers: Pick<Ledgers, "damaged">;
}

/** Actions that one statement loads at most. */
const MAX_KEYS = 32;

/** Loads the action that a call decides on; undefined when there is none. Throws LedgerUnavailableError. */
export type ActionLoader = (key: ActionKey) => Promise<Loaded | undefined>;

/**
 * Loads what the calls of one turn of the event loop decide on in one statement: under load a statement for each costs more
 * than its row. Nothing is kept, so that a call decides on what is recorded when it begins.
 */
export function createActionLoader({ db, ledgers, isSigned }: ActionLoaderOptions): ActionLoader {
  const loader = new DataLoader<ActionKey, Loaded | undefined>(
    async (keys) =>
      (await loadEach({ db, isSigned }, keys)).map((one) =>
        one instanceof LedgerDamagedError ? ledgers.damaged(one) : one,
      ),
    { cache: false, maxBatchSize: MAX_KEYS, batchScheduleFn: (begin) => void setImmediate(begin) },
  );
  return (key) => loader.load(key);
}

/** An action that cannot be read fails its own call, not those that it was loaded with. */
async function loadEach(
  source: ActionSource,
  keys: readonly ActionKey[],
): Promise<readonly (Loaded | Error | undefined)[]> {
  try {
    return await loadAll(source, keys);
  } catch (error) {
    if (keys.length === 1 || error instanceof LedgerUnavailableError) throw error;
    const alone = await Promise.allSettled(keys.map((key) => loadAll(source, [key])));
    return alone.map((one) => (one.status === "fulfilled" ? one.value[0] : toError(one.reason)));
  }
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("an action could not be loaded", { cause: reason });
}
