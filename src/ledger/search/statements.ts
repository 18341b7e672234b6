import type { LedgerId } from "../../facts/entry.ts";
import type { RecordedBounds, RecordedPositions } from "../months.ts";
import { clampPosition, ENTRY_COLUMNS, ENTRY_TABLES, type EntryRange, entryTablesBetween } from "../read.ts";
import {
  type Bind,
  type Candidates,
  countInScope,
  entryOrActionInScope,
  firstInScope,
  positionsInScope,
  type ReadScope,
} from "../read-scope.ts";
import { conditionsOf, NothingMeetsThis } from "./conditions.ts";
import type { EntryFilter } from "./filter.ts";

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** What all statements about a page have in common. */
interface Begun {
  readonly values: unknown[];
  readonly bind: Bind;
  readonly candidates: Candidates;
}

/** Undefined when nothing that can be recorded meets the filter. */
function begin(ledger: LedgerId, filter: EntryFilter, page: EntryRange): Begun | undefined {
  const values: unknown[] = [ledger];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const conditions = ["e.ledger = $1", ...positions(page, bind)];
  let tables = ENTRY_TABLES;
  let attempts = "";
  if (page.recorded !== undefined) {
    const from = `${bind(page.recorded.from)}::timestamptz`;
    const end = `${bind(page.recorded.before)}::timestamptz`;
    conditions.push(`e.recorded_at >= ${from}`, `e.recorded_at < ${end}`);
    tables = entryTablesBetween(from, end);
    attempts = `AND a.recorded_at >= ${from} AND a.recorded_at < ${end}`;
  }
  const own = ownConditions(filter, bind, attempts);
  if (own === undefined) return undefined;
  conditions.push(...own);
  const direction = page.newestFirst === true ? "DESC" : "ASC";
  return { values, bind, candidates: { tables, conditions, direction, limit: bind(page.limit) } };
}

function positions({ after, before }: EntryRange, bind: Bind): readonly string[] {
  return [
    ...(after === undefined ? [] : [`e.seq > ${bind(clampPosition(after))}::bigint`]),
    ...(before === undefined ? [] : [`e.seq < ${bind(clampPosition(before))}::bigint`]),
  ];
}

function ownConditions(filter: EntryFilter, bind: Bind, attempts: string): readonly string[] | undefined {
  try {
    return conditionsOf(filter, bind, attempts);
  } catch (error) {
    if (error instanceof NothingMeetsThis) return undefined;
    throw error;
  }
}

/** Whether nothing that can be recorded meets `filter`: it has an id that is not a UUID, a NUL, or an empty list of types. */
export function isImpossible(filter: EntryFilter): boolean {
  return ownConditions(filter, () => "$1", "") === undefined;
}

/**
 * The query for a page where an index has the entries in the order of the page, or finds few of them; undefined when its result
 * must be empty.
 *
 * @param each whether entries in scope by their action are found entry by entry, rather than by all actions in scope
 */
export function searchStatement(
  ledger: LedgerId,
  filter: EntryFilter,
  page: EntryRange,
  scopes?: readonly ReadScope[],
  each = true,
): Statement | undefined {
  const begun = begin(ledger, filter, page);
  if (begun === undefined) return undefined;
  const { values, bind, candidates } = begun;
  const { conditions, direction, limit } = candidates;
  const text = `
    SELECT ${ENTRY_COLUMNS}
      FROM ${candidates.tables}
     WHERE ${restricted().join("\n       AND ")}
     ORDER BY e.seq ${direction}
     LIMIT ${limit}::bigint`;
  return { text, values };

  function restricted(): readonly string[] {
    if (scopes === undefined) return conditions;
    if (each) return [...conditions, entryOrActionInScope(scopes, bind)];
    // The query for positions contains all conditions; they need not be repeated outside it.
    const outside = conditions.filter(
      (condition) => condition.startsWith("e.ledger") || condition.startsWith("e.recorded_at"),
    );
    return [...outside, firstInScope(scopes, candidates, bind)];
  }
}

/** What one statement reads of a ledger: a range of positions, or single ones, and the time they were recorded in. */
export type Read = RecordedPositions | { readonly positions: readonly bigint[]; readonly recorded: RecordedBounds };

/**
 * The query for the entries that meet `filter` in one piece of a ledger; undefined when its result must be empty. Its plan does
 * not depend on estimates of how many entries meet a condition: the positions are read in order, and each entry is tested, its
 * payload last.
 */
export function pieceStatement(
  ledger: LedgerId,
  filter: EntryFilter,
  read: Read,
  page: EntryRange,
  scopes?: readonly ReadScope[],
): Statement | undefined {
  const values: unknown[] = [ledger];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const { from, before } = read.recorded;
  const [start, end] = [`${bind(from)}::timestamptz`, `${bind(before)}::timestamptz`];
  const within = (table: string) => `${table}.recorded_at >= ${start} AND ${table}.recorded_at < ${end}`;
  const own = ownConditions(filter, bind, `AND ${within("a")}`);
  if (own === undefined) return undefined;
  const conditions = [...own, ...positions(page, bind)];
  if (scopes !== undefined) conditions.push(entryOrActionInScope(scopes, bind));
  const direction = page.newestFirst === true ? "DESC" : "ASC";
  const wanted =
    "positions" in read
      ? `a.seq = ANY (${bind(read.positions)}::bigint[])`
      : `a.seq >= ${bind(read.first)}::bigint AND a.seq <= ${bind(read.last)}::bigint`;
  // OFFSET 0 and LIMIT keep the planner from moving conditions and joins to where an index seems to promise less.
  const text = `
    SELECT ${ENTRY_COLUMNS}
      FROM (SELECT a.* FROM oc_audit_log a
             WHERE a.ledger = $1 AND ${wanted} AND ${within("a")} ORDER BY a.seq ${direction} OFFSET 0) e
      LEFT JOIN LATERAL (SELECT p.payload FROM oc_audit_payload p
                          WHERE p.ledger = e.ledger AND p.seq = e.seq AND p.recorded_at = e.recorded_at AND ${within("p")}
                          LIMIT 1) p ON true
     WHERE ${conditions.join("\n       AND ") || "true"}
     ORDER BY e.seq ${direction}
     LIMIT ${bind(page.limit)}::bigint`;
  return { text, values };
}

/** A query for the first positions of a page in `scopes` by their entries' own members; undefined when none can match. */
export function ownPositions(
  ledger: LedgerId,
  filter: EntryFilter,
  page: EntryRange,
  scopes: readonly ReadScope[],
): Statement | undefined {
  const begun = begin(ledger, filter, page);
  return begun && { text: positionsInScope(scopes, begun.candidates, begun.bind), values: begun.values };
}

/** A query for how many entries are in `scopes` by their own members, counted up to `limit`. */
export function ownCount(ledger: LedgerId, limit: bigint, scopes: readonly ReadScope[]): Statement {
  const values: unknown[] = [ledger];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  return { text: countInScope(scopes, bind(limit), bind), values };
}

/** A query for how many entries meet `filter`, counted up to `page.limit`; undefined when none can. Reads no payloads. */
export function countStatement(ledger: LedgerId, filter: EntryFilter, page: EntryRange): Statement | undefined {
  const begun = begin(ledger, filter, page);
  if (begun === undefined) return undefined;
  const { conditions, limit } = begun.candidates;
  const text = `
    SELECT count(*) AS count
      FROM (SELECT FROM oc_audit_log e WHERE ${conditions.join(" AND ")} LIMIT ${limit}::bigint) c`;
  return { text, values: begun.values };
}
