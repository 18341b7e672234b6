import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import type { EntryRange, Queryable } from "../../ledger/read.ts";
import { type EntryFilter, searchEntries } from "../../ledger/search.ts";
import { scopesOf, type Viewer } from "./visibility.ts";

/** `searchEntries` in `ledger`, of the viewer's organization, limited to what `viewer` may read. */
export function searchReadable(
  db: Queryable,
  ledger: LedgerId,
  viewer: Viewer,
  filter: EntryFilter,
  range: EntryRange,
): Promise<LedgerEntry[]> {
  const scopes = scopesOf(viewer);
  return searchEntries(db, ledger, filter, range, scopes === "everything" ? undefined : scopes);
}
