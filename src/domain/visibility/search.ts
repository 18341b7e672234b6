import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import type { EntryRange, Reader } from "../../ledger/read.ts";
import { type EntryFilter, searchEntries } from "../../ledger/search.ts";
import { concernsOf, type Viewer } from "./visibility.ts";

/** `searchEntries` in `ledger`, that of the viewer's organization, for what `viewer` may read. */
export function searchReadable(
  db: Reader,
  ledger: LedgerId,
  viewer: Viewer,
  filter: EntryFilter,
  range: EntryRange,
): Promise<LedgerEntry[]> {
  const concerns = concernsOf(viewer);
  return searchEntries(db, ledger, filter, range, concerns === "everything" ? undefined : concerns);
}
