import DataLoader from "dataloader";
import type { LedgerId } from "../../../facts/entry.ts";
import type { Queryable } from "../../../ledger/read.ts";
import { readWindowValues, type WindowAsked, type WindowRead } from "../../../ledger/windows.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";

/** Windows in one statement at most. */
const MAX_WINDOWS = 100;

/** What windows came to, in their order. Throws LedgerUnavailableError. */
export type LoadWindows = (asked: readonly WindowAsked[]) => Promise<readonly WindowRead[]>;

/** Reads the windows that are asked for in one turn with one statement for each ledger. Nothing is kept. */
export function createWindowLoader(db: Queryable): LoadWindows {
  const loader = new DataLoader<WindowAsked, WindowRead>(
    async (all) => {
      const found = new Map<LedgerId, Promise<ReadonlyMap<WindowAsked, WindowRead>>>();
      for (const [ledger, some] of Map.groupBy(all, (one) => one.ledger)) found.set(ledger, readAll(db, some));
      return Promise.all(
        all.map(async (one) => {
          const read = await found.get(one.ledger)?.catch((error: Error) => error);
          return read instanceof Error ? read : (read?.get(one) ?? new Error("a window was not read"));
        }),
      );
    },
    { cache: false, maxBatchSize: MAX_WINDOWS },
  );
  return (asked) => Promise.all(asked.map((one) => loader.load(one)));
}

async function readAll(db: Queryable, asked: readonly WindowAsked[]): Promise<ReadonlyMap<WindowAsked, WindowRead>> {
  const read = await withLedgerErrors(readWindowValues(db, asked));
  return new Map(read.map((one, n) => [asked[n] as WindowAsked, one]));
}
