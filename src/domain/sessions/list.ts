import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import { isStorable } from "../../facts/text.ts";
import { STORED_STATE, type StoredState } from "../../ledger/proof.ts";
import type { Queryable } from "../../ledger/read.ts";
import { type Bind, entryInScope } from "../../ledger/read-scope.ts";
import { withListErrors } from "../ledger-errors.ts";
import { searchReadable } from "../visibility/search.ts";
import { personScopesOf, type Viewer } from "../visibility/visibility.ts";
import { loadSessions, type Session } from "./store.ts";

/** Conditions a session must meet, all of them. A member that is undefined or null is no condition. */
export interface SessionFilter {
  /** Whose session it is: an agent's own id, not that of the person it acts for. */
  readonly principalId?: string | null | undefined;
  readonly conversationId?: string | null | undefined;
  /** RFC 3339. Open at that moment or later. */
  readonly from?: string | null | undefined;
  /** RFC 3339. Started at that moment or earlier. */
  readonly to?: string | null | undefined;
  /** Whether it is open now. */
  readonly active?: boolean | null | undefined;
}

/** Positions are those of the starts; neither end belongs to the range. */
export interface SessionRange {
  readonly after?: bigint | undefined;
  readonly before?: bigint | undefined;
  readonly newestFirst?: boolean | undefined;
  readonly limit: number;
}

/**
 * At most `range.limit` sessions that meet `filter` and that `viewer`, of the organization of `ledger`, may read; in the
 * order they began or the reverse. A filter value that no recorded value can equal finds nothing.
 */
export async function listSessions(
  db: Queryable,
  ledger: LedgerId,
  viewer: Viewer,
  filter: SessionFilter,
  range: SessionRange,
): Promise<readonly Session[]> {
  const scopes = personScopesOf(viewer, ledger);
  const { principalId, conversationId, from, to, active } = filter;
  if (scopes.length === 0 || ![principalId ?? "", conversationId ?? ""].every(isStorable)) return [];
  const values: unknown[] = [ledger];
  const bind: Bind = (value) => `$${values.push(value)}`;
  const conditions = ["s.kind = 'SESSION' AND s.ledger = $1"];
  if (range.after !== undefined) conditions.push(`s.first_seq > ${bind(range.after)}::bigint`);
  if (range.before !== undefined) conditions.push(`s.first_seq < ${bind(range.before)}::bigint`);
  if (given(principalId)) conditions.push(`s.actor_id = ${bind(principalId)}::text`);
  if (given(conversationId)) conditions.push(`s.conversation = ${bind(conversationId)}::text`);
  if (given(active)) conditions.push(active ? OPEN : `NOT (${OPEN})`);
  if (given(to)) conditions.push(`s.first_seq < (${firstPosition(">", timestamp(to), bind)})`);
  if (given(from)) {
    const moment = timestamp(from);
    conditions.push(`CASE WHEN s.status = 'ENDED' THEN s.updated_seq >= (${firstPosition(">=", moment, bind)})
                          ELSE s.expires_at IS NULL OR s.expires_at >= ${bind(moment)}::timestamptz END`);
  }
  const direction = range.newestFirst ? "DESC" : "ASC";
  const limit = bind(range.limit);
  const order = (column: string) => `ORDER BY s.${column} ${direction} LIMIT ${limit}::bigint`;
  const select = (more: readonly string[]) =>
    `SELECT ${STORED_STATE} FROM oc_state s WHERE ${[...conditions, ...more].join(" AND ")} ${order("first_seq")}`;
  // One index lookup for each scope. A session's columns are named like an entry's.
  const parts =
    scopes === "everything" ? undefined : scopes.map((scope) => `(${select([entryInScope("s", [scope], bind)])})`);
  const text = parts === undefined ? select([]) : `SELECT * FROM (${parts.join(" UNION ")}) s ${order("first_seq")}`;
  const { rows } = await withListErrors(db.query<StoredState>(text, values));
  return loadSessions(db, ledger, rows);
}

/**
 * At most `range.limit` entries of `session` behind a position that `viewer` may read, oldest first. Its own two are among
 * them, also when the server recorded the end.
 */
export async function readTimeline(
  db: Queryable,
  ledger: LedgerId,
  viewer: Viewer,
  { id, started, ended }: Session,
  range: { readonly after: bigint | undefined; readonly limit: number },
): Promise<readonly LedgerEntry[]> {
  const { after, limit } = range;
  const found = await searchReadable(db, ledger, viewer, { sessionId: id }, range);
  const own = [started, ...(ended === undefined ? [] : [ended])].filter(
    ({ seq }) => after === undefined || seq > after,
  );
  const all = new Map([...own, ...found].map((entry) => [entry.seq, entry]));
  return [...all.values()].sort((one, other) => (one.seq < other.seq ? -1 : 1)).slice(0, limit);
}

const OPEN = "s.status = 'OPEN' AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())";

function given<Value>(value: Value | null | undefined): value is Value {
  return value !== undefined && value !== null;
}

/** RFC 3339 knows a year 0000, PostgreSQL does not. */
function timestamp(instant: string): string {
  return instant.startsWith("0000") ? "-infinity" : instant;
}

/**
 * The first position of the ledger recorded after `moment` (`>`), or at it (`>=`); behind the last one when there is none.
 * Time never moves backwards along a ledger, so it is found by halving, without an index on time. Positions that are not
 * there any more are old ones.
 */
function firstPosition(comparison: ">" | ">=", moment: string, bind: Bind): string {
  return `
    WITH RECURSIVE halves(low, high) AS (
      SELECT 1::bigint, h.seq + 1 FROM oc_ledger_head h WHERE h.ledger = $1
      UNION ALL
      SELECT CASE WHEN e.recorded_at ${comparison} ${bind(moment)}::timestamptz THEN p.low ELSE p.middle + 1 END,
             CASE WHEN e.recorded_at ${comparison} ${bind(moment)}::timestamptz THEN p.middle ELSE p.high END
        FROM (SELECT low, high, (low + high) / 2 AS middle FROM halves WHERE low < high) p
        LEFT JOIN LATERAL oc_entries_at($1, ARRAY[p.middle]) e ON true
    )
    SELECT low FROM halves WHERE low = high`;
}
