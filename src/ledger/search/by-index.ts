import type { LedgerId } from "../../facts/entry.ts";
import { readWindows } from "../months.ts";
import { type EntryRange, type EntryRow, type Queryable, readHead } from "../read.ts";
import type { ReadScope } from "../read-scope.ts";
import { conditionNames, type EntryFilter, given } from "./filter.ts";
import { earlier } from "./range.ts";
import { countStatement, ownCount, ownPositions, type Statement, searchStatement } from "./statements.ts";

/** One search, with the times of its filter as positions of its range. */
export interface Search {
  readonly db: Queryable;
  readonly ledger: LedgerId;
  readonly filter: EntryFilter;
  readonly range: EntryRange;
  /** Only entries in one of these; undefined: all. */
  readonly scopes: readonly ReadScope[] | undefined;
}

/** Up to so many entries are tested one by one: a query that avoids it would not be faster. */
export const FEW = 2_000;

/** The rows of a statement, which may be of damaged entries; none for undefined, which finds nothing. */
export async function run({ db }: Search, statement: Statement | undefined): Promise<EntryRow[]> {
  if (statement === undefined) return [];
  const { rows } = await db.query<EntryRow>(statement.text, [...statement.values]);
  return rows;
}

/** Whether indexes of the ledger's columns find a page: in its order, or among few entries. */
export async function isIndexed(search: Search): Promise<boolean> {
  const { filter, scopes } = search;
  const names = conditionNames(filter);
  if (names.length === 0 || names.includes("actionId")) return true;
  // One condition: its index has these entries, and no others.
  if (names.length === 1 && names.every((name) => ORDERED.includes(name))) return true;
  const { sessionId, chainHash, sourceChainHash } = filter;
  if ([sessionId, chainHash, sourceChainHash].some(given)) {
    if (await isFew(search, { sessionId, chainHash, sourceChainHash })) return true;
  }
  return scopes !== undefined && (await fewInScope(search, scopes));
}

/** Conditions with an index that has the entries in order. */
const ORDERED = ["actorId", "onBehalfOfId", "tool", "sessionId", "chainHash", "sourceChainHash"];

/** Whether few entries meet `filter`, of conditions with an index. */
async function isFew({ db, ledger, range }: Search, filter: EntryFilter): Promise<boolean> {
  let found = 0;
  for (const recorded of await readWindows(db, ledger, range, range.newestFirst === true)) {
    const statement = countStatement(ledger, filter, { ...range, recorded, limit: FEW - found });
    if (statement === undefined) return true;
    const { rows } = await db.query<{ count: string }>(statement.text, [...statement.values]);
    found += Number(rows[0]?.count ?? 0);
    if (found >= FEW) return false;
  }
  return true;
}

async function fewInScope({ db, ledger }: Search, scopes: readonly ReadScope[]): Promise<boolean> {
  // Counting proposals that asked a group takes longer than the search index does.
  if (scopes.some((scope) => "askedGroups" in scope)) return false;
  const { text, values } = ownCount(ledger, BigInt(FEW), scopes);
  const { rows } = await db.query<{ count: string }>(text, [...values]);
  return Number(rows[0]?.count ?? 0) < FEW;
}

/** A page that indexes of the ledger's columns find. */
export async function searchByIndex(search: Search): Promise<EntryRow[]> {
  const { db, ledger, range } = search;
  const { limit, newestFirst = false } = range;
  const found: EntryRow[] = [];
  for (const recorded of await readWindows(db, ledger, range, newestFirst)) {
    found.push(...(await searchWindow({ ...search, range: { ...range, recorded, limit: limit - found.length } })));
    if (found.length >= limit) break;
  }
  return found;
}

async function searchWindow(search: Search): Promise<EntryRow[]> {
  const { ledger, filter, range, scopes } = search;
  if (scopes === undefined || leavesFew(filter, range)) return runPage(range);
  // Where many entries are in scope, the nearest positions fill the page and no other query is needed.
  const near = await nearest(search);
  const found = await runPage(near);
  if (found.length === range.limit) return found;
  const bounded = await boundedBy({ ...search, range: anchored(range, near) }, scopes);
  return runPage(bounded.range, bounded.each);

  function runPage(page: EntryRange, each = leavesFew(filter, page)): Promise<EntryRow[]> {
    return run(search, searchStatement(ledger, filter, page, scopes, each));
  }
}

/** A range of at most so many positions is read entry by entry. */
const NARROW_RANGE = 4_096n;

/** Whether few entries meet the conditions, whatever the scopes: an index finds them. */
function leavesFew({ sessionId, actionId, chainHash, sourceChainHash }: EntryFilter, range: EntryRange): boolean {
  const { after, before } = range;
  if (after !== undefined && before !== undefined && before - after <= NARROW_RANGE) return true;
  return [sessionId, actionId, chainHash, sourceChainHash].some(given);
}

/** The part of the range where a search begins, short enough to be read entry by entry. */
async function nearest({ db, ledger, range }: Search): Promise<EntryRange> {
  if (range.newestFirst !== true) {
    const after = range.after ?? 0n;
    return { ...range, after, before: earlier(range.before, after + NARROW_RANGE) };
  }
  const before = range.before ?? ((await readHead(db, ledger))?.seq ?? 0n) + 1n;
  const start = before - NARROW_RANGE;
  return { ...range, before, after: range.after === undefined || range.after < start ? start : range.after };
}

/** `page`, beginning where `near` begins: entries appended meanwhile are not part of it. */
function anchored(page: EntryRange, near: EntryRange): EntryRange {
  return page.newestFirst === true ? { ...page, before: near.before } : { ...page, after: near.after };
}

/** Above one entry in scope for each of so many positions, the positions of a page are read one by one. */
const SPARSE = 4n;

/**
 * The part of the range that holds everything its page shows: it ends where the entries in `scopes` by their own members fill
 * it. Entries in scope by their action are then found entry by entry when there are many entries in scope for so short a part
 * (`each`), else by all actions in scope. The cost is the smaller of the two: positions the page spans, or entries in scope.
 */
async function boundedBy(
  { db, ledger, filter, range: page }: Search,
  scopes: readonly ReadScope[],
): Promise<{ readonly range: EntryRange; readonly each: boolean }> {
  const statement = ownPositions(ledger, filter, page, scopes);
  if (statement === undefined) return { range: page, each: false };
  const own = await db.query<{ seq: string }>(statement.text, [...statement.values]);
  const last = own.rows.at(-1);
  if (last === undefined || own.rows.length < page.limit) return { range: page, each: false };
  const end = BigInt(last.seq);
  const descending = page.newestFirst === true;
  const range = descending ? { ...page, after: end - 1n } : { ...page, before: end + 1n };
  const span = (range.before ?? 0n) - (range.after ?? 0n);
  if (span <= NARROW_RANGE) return { range, each: true };
  const enough = span / SPARSE;
  const count = ownCount(ledger, enough, scopes);
  const { rows } = await db.query<{ count: string }>(count.text, [...count.values]);
  return { range, each: BigInt(rows[0]?.count ?? 0) >= enough };
}
