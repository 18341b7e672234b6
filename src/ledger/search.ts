import type { LedgerEntry, LedgerId } from "../facts/entry.ts";
import { boundsOf, type Month, positionWindows, type RecordedBounds, readMonths } from "./months.ts";
import { type EntryRange, type EntryRow, type Queryable, readHead, toEntry } from "./read.ts";
import type { ReadScope } from "./read-scope.ts";
import { BLOCK } from "./search/bits.ts";
import { FEW, isIndexed, run, type Search, searchByIndex } from "./search/by-index.ts";
import { type Piece, piecesOf, type Span } from "./search/candidates.ts";
import { clausesOf } from "./search/clauses.ts";
import type { EntryFilter } from "./search/filter.ts";
import { genuine } from "./search/genuine.ts";
import { earlier, withinTimes } from "./search/range.ts";
import { isImpossible, pieceStatement, type Read } from "./search/statements.ts";

export type { EntryFilter } from "./search/filter.ts";
export { searchStatement } from "./search/statements.ts";

export interface SearchOptions {
  /** Only entries in one of these, by their own members or because the action they are about is; omitted: all. */
  readonly scopes?: readonly ReadScope[] | undefined;
  /** After so long, a page is returned that is not full; each statement has a limit of its own. 5,000 unless given. */
  readonly maxMilliseconds?: number;
}

export interface SearchPage {
  readonly entries: LedgerEntry[];
  /**
   * The last position that was searched, in the order of the page, when time ran out before the page was full. The next page
   * begins after it (before it, newest first).
   */
  readonly stoppedAt?: bigint | undefined;
}

const MAX_MILLISECONDS = 5_000;

/**
 * At most `page.limit` entries that meet `filter`, between `page.after` and `page.before`, in the given order. Request
 * one more than is shown to learn whether more follow. A filter that no recorded value can meet (an id that is not a UUID, a
 * NUL) finds nothing.
 */
export async function searchPage(
  db: Queryable,
  ledger: LedgerId,
  filter: EntryFilter,
  page: EntryRange,
  { scopes, maxMilliseconds = MAX_MILLISECONDS }: SearchOptions = {},
): Promise<SearchPage> {
  const until = performance.now() + maxMilliseconds;
  const entries: LedgerEntry[] = [];
  for (let rest = page; ; ) {
    const { rows, stoppedAt } = await searchStored(db, ledger, filter, rest, { scopes, until });
    const stored = rows.map((row) => toEntry(ledger, row));
    entries.push(...(await genuine(db, filter, stored)));
    const last = stored.at(-1);
    const full = entries.length >= page.limit || stored.length < rest.limit;
    if (full || last === undefined || stoppedAt !== undefined) return { entries, stoppedAt };
    // Values that somebody put there can be on any number of entries.
    if (performance.now() >= until) return { entries, stoppedAt: last.seq };
    const limit = page.limit - entries.length;
    rest = page.newestFirst === true ? { ...page, limit, before: last.seq } : { ...page, limit, after: last.seq };
  }
}

/**
 * The first rows that meet `filter` by what is stored, whether or not that was recorded or can be read, however long that takes: for
 * whoever proves each of them.
 */
export async function searchRows(
  db: Queryable,
  ledger: LedgerId,
  filter: EntryFilter,
  page: EntryRange,
): Promise<readonly EntryRow[]> {
  return (await searchStored(db, ledger, filter, page, { scopes: undefined, until: Number.POSITIVE_INFINITY })).rows;
}

interface StoredOptions {
  readonly scopes: readonly ReadScope[] | undefined;
  /** By `performance.now()`. */
  readonly until: number;
}

/** The rows of a page in its order; `stoppedAt` as of a SearchPage. */
interface StoredPage {
  readonly rows: readonly EntryRow[];
  readonly stoppedAt?: bigint | undefined;
}

/** A page by what is stored. */
async function searchStored(
  db: Queryable,
  ledger: LedgerId,
  filter: EntryFilter,
  page: EntryRange,
  { scopes, until }: StoredOptions,
): Promise<StoredPage> {
  if (scopes?.length === 0 || isImpossible(filter)) return { rows: [] };
  const range = await withinTimes(db, ledger, filter, page);
  // Positions stand for the times exactly; as conditions as well, they would only mislead the planner.
  const timeless = { ...filter, recordedFrom: undefined, recordedTo: undefined };
  const search: Search = { db, ledger, filter: timeless, range, scopes };
  if (!isShort(range) && (await isIndexed(search))) return { rows: await searchByIndex(search) };
  return searchByPieces(search, until);
}

/** The entries of `searchPage`, however long it takes. */
export async function searchEntries(
  db: Queryable,
  ledger: LedgerId,
  filter: EntryFilter,
  page: EntryRange,
  scopes?: readonly ReadScope[],
): Promise<LedgerEntry[]> {
  const { entries } = await searchPage(db, ledger, filter, page, { scopes, maxMilliseconds: Number.POSITIVE_INFINITY });
  return entries;
}

/** Whether a range is so short that each of its entries is tested. */
function isShort({ after = 0n, before }: EntryRange): boolean {
  return before !== undefined && before - after <= BigInt(FEW);
}

/** Reads the entries that the search index does not exclude, and all that it does not cover. */
async function searchByPieces(search: Search, until: number): Promise<StoredPage> {
  const { db, ledger, filter, range, scopes } = search;
  const rows: EntryRow[] = [];
  const span = await spanOf(search);
  if (span.first > span.last) return { rows };
  // After the head: the months of all positions up to it are there.
  const months = await readMonths(db, ledger, { after: span.first - 1n, before: span.last + 1n });
  const pieces = isShort(range) ? [wholeOf(span)] : piecesOf(db, ledger, clausesOf(filter, scopes), span);
  for await (const piece of pieces) {
    for (const read of readsOf(piece, months, span.newestFirst)) {
      const page = { ...range, limit: range.limit - rows.length };
      rows.push(...(await run(search, pieceStatement(ledger, filter, read, page, scopes))));
      if (rows.length >= range.limit) return { rows };
    }
    const atEnd = piece.end === (span.newestFirst ? span.first : span.last);
    if (!atEnd && performance.now() >= until) return { rows, stoppedAt: piece.end };
  }
  return { rows };
}

async function spanOf({ db, ledger, range }: Search): Promise<Span> {
  const head = (await readHead(db, ledger))?.seq ?? 0n;
  return {
    first: (range.after ?? 0n) + 1n,
    last: earlier(range.before, head + 1n) - 1n,
    newestFirst: range.newestFirst === true,
  };
}

function wholeOf({ first, last, newestFirst }: Span): Piece {
  return { kind: "positions", first, last, end: newestFirst ? first : last };
}

/** The reads of a piece, in the order of the search, each of few months. */
function readsOf(piece: Piece, months: readonly Month[], newestFirst: boolean): readonly Read[] {
  if (piece.kind === "nothing") return [];
  if (piece.kind === "positions") {
    return positionWindows(months, piece.first, piece.last, newestFirst);
  }
  const reads: { readonly positions: bigint[]; readonly recorded: RecordedBounds }[] = [];
  for (const start of piece.starts) {
    const recorded = boundsOf(months, start, start + BLOCK - 1n);
    if (recorded === undefined) continue;
    const positions = Array.from({ length: Number(BLOCK) }, (_, n) => start + BigInt(n));
    const open = reads.at(-1);
    if (
      open?.recorded.from.getTime() === recorded.from.getTime() &&
      open.recorded.before.getTime() === recorded.before.getTime()
    )
      open.positions.push(...positions);
    else reads.push({ positions, recorded });
  }
  return reads;
}
