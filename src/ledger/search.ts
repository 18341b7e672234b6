import type { LedgerEntry, LedgerId } from "../facts/entry.ts";
import { boundsOf, type Month, positionWindows, type RecordedBounds, readMonths } from "./months.ts";
import { type EntryRange, type Queryable, readHead } from "./read.ts";
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
  /** After so long, a page is returned that is not full. */
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
  options: SearchOptions = {},
): Promise<SearchPage> {
  const entries: LedgerEntry[] = [];
  for (let rest = page; ; ) {
    const { entries: stored, stoppedAt } = await searchStored(db, ledger, filter, rest, options);
    entries.push(...(await genuine(db, filter, stored)));
    const last = stored.at(-1);
    const full = entries.length >= page.limit || stored.length < rest.limit;
    if (full || last === undefined || stoppedAt !== undefined) return { entries, stoppedAt };
    const limit = page.limit - entries.length;
    rest = page.newestFirst === true ? { ...page, limit, before: last.seq } : { ...page, limit, after: last.seq };
  }
}

/** The same by what is stored, whether or not it was recorded. */
async function searchStored(
  db: Queryable,
  ledger: LedgerId,
  filter: EntryFilter,
  page: EntryRange,
  { scopes, maxMilliseconds = MAX_MILLISECONDS }: SearchOptions,
): Promise<SearchPage> {
  if (scopes?.length === 0 || isImpossible(filter)) return { entries: [] };
  const range = await withinTimes(db, ledger, filter, page);
  // Positions stand for the times exactly; as conditions as well, they would only mislead the planner.
  const timeless = { ...filter, recordedFrom: undefined, recordedTo: undefined };
  const search: Search = { db, ledger, filter: timeless, range, scopes };
  if (!isShort(range) && (await isIndexed(search))) return { entries: await searchByIndex(search) };
  return searchByPieces(search, maxMilliseconds);
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
async function searchByPieces(search: Search, maxMilliseconds: number): Promise<SearchPage> {
  const { db, ledger, filter, range, scopes } = search;
  const until = performance.now() + maxMilliseconds;
  const entries: LedgerEntry[] = [];
  const span = await spanOf(search);
  if (span.first > span.last) return { entries };
  // After the head: the months of all positions up to it are there.
  const months = await readMonths(db, ledger, { after: span.first - 1n, before: span.last + 1n });
  const pieces = isShort(range) ? [wholeOf(span)] : piecesOf(db, ledger, clausesOf(filter, scopes), span);
  for await (const piece of pieces) {
    for (const read of readsOf(piece, months, span.newestFirst)) {
      const page = { ...range, limit: range.limit - entries.length };
      entries.push(...(await run(search, pieceStatement(ledger, filter, read, page, scopes))));
      if (entries.length >= range.limit) return { entries };
    }
    const atEnd = piece.end === (span.newestFirst ? span.first : span.last);
    if (!atEnd && performance.now() >= until) return { entries, stoppedAt: piece.end };
  }
  return { entries };
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
