import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import type { EntryRange, Queryable } from "../../ledger/read.ts";
import type { ReadScope } from "../../ledger/read-scope.ts";
import { type EntryFilter, type SearchPage, searchEntries, searchPage } from "../../ledger/search.ts";
import { scopesOf, type Viewer } from "./visibility.ts";

/** `searchEntries` in `ledger`, of the viewer's organization, limited to what `viewer` may read. */
export function searchReadable(
  db: Queryable,
  ledger: LedgerId,
  viewer: Viewer,
  filter: EntryFilter,
  range: EntryRange,
): Promise<LedgerEntry[]> {
  return searchEntries(db, ledger, filter, range, limitsOf(viewer, ledger));
}

/** `searchPage`, limited in the same way. */
export function searchReadablePage(
  db: Queryable,
  ledger: LedgerId,
  viewer: Viewer,
  filter: EntryFilter,
  range: EntryRange,
): Promise<SearchPage> {
  return searchPage(db, ledger, filter, range, { scopes: limitsOf(viewer, ledger) });
}

function limitsOf(viewer: Viewer, ledger: LedgerId): readonly ReadScope[] | undefined {
  const scopes = scopesOf(viewer, ledger);
  return scopes === "everything" ? undefined : scopes;
}
