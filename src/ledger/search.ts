import { validate as isUuid } from "uuid";
import { canonicalize, type JsonValue, NotCanonicalError } from "../facts/canonical.ts";
import type { LedgerEntry, LedgerId } from "../facts/entry.ts";
import { readWindows } from "./months.ts";
import {
  clampPosition,
  ENTRY_COLUMNS,
  ENTRY_TABLES,
  type EntryRange,
  type EntryRow,
  entryTablesBetween,
  type Queryable,
  readHead,
  toEntry,
} from "./read.ts";
import {
  type Bind,
  type Candidates,
  countInScope,
  entryOrActionInScope,
  firstInScope,
  positionsInScope,
  type ReadScope,
} from "./read-scope.ts";

/** Conditions an entry must meet, all of them. A member that is undefined or null is no condition. */
export interface EntryFilter {
  readonly actorId?: string | null | undefined;
  /** The id of the person the actor acted for. */
  readonly onBehalfOfId?: string | null | undefined;
  /**
   * The address, at the time and in any case, of the actor or of the person the actor acted for; an erased profile has
   * none.
   */
  readonly actorEmail?: string | null | undefined;
  readonly sessionId?: string | null | undefined;
  /** Entries that changed this action, and refused attempts to. */
  readonly actionId?: string | null | undefined;
  readonly types?: readonly string[] | null | undefined;
  readonly platform?: string | null | undefined;
  readonly tool?: string | null | undefined;
  readonly effect?: string | null | undefined;
  readonly chainHash?: string | null | undefined;
  readonly sourceChainHash?: string | null | undefined;
  /** RFC 3339; both ends belong to the range. */
  readonly recordedFrom?: string | null | undefined;
  readonly recordedTo?: string | null | undefined;
  /** Words separated by white space, in any case, each a part of some recorded value or of a key of an erasable one. */
  readonly text?: string | null | undefined;
  /** A JSON fragment that the arguments or the result contain, as PostgreSQL's `jsonb @>` understands it. */
  readonly contains?: JsonValue | undefined;
}

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/**
 * At most `page.limit` entries that meet `filter`, between `page.after` and `page.before`, in the given order. Request
 * one more than is shown to learn whether more follow. A filter that no recorded value can meet (an id that is not a UUID, a
 * NUL) finds nothing.
 *
 * @param scopes only entries in one of these, by their own members or because the action they are about is; omitted: all
 */
export async function searchEntries(
  db: Queryable,
  ledger: LedgerId,
  filter: EntryFilter,
  page: EntryRange,
  scopes?: readonly ReadScope[],
): Promise<LedgerEntry[]> {
  const { after, before, limit, newestFirst = false } = page;
  const recordedFrom = filter.recordedFrom === null ? undefined : timestampOf(filter.recordedFrom);
  const recordedTo = filter.recordedTo === null ? undefined : timestampOf(filter.recordedTo);
  const found: LedgerEntry[] = [];
  for (const recorded of await readWindows(db, ledger, { after, before, recordedFrom, recordedTo }, newestFirst)) {
    found.push(...(await searchWindow(db, ledger, filter, { ...page, recorded, limit: limit - found.length }, scopes)));
    if (found.length >= limit) break;
  }
  return found;
}

async function searchWindow(
  db: Queryable,
  ledger: LedgerId,
  filter: EntryFilter,
  page: EntryRange,
  scopes: readonly ReadScope[] | undefined,
): Promise<LedgerEntry[]> {
  if (scopes === undefined || leavesFew(filter, page)) return run(page);
  if (scopes.length === 0) return [];
  // Where many entries are in scope, the nearest positions fill the page and no other query is needed.
  const near = await nearest(db, ledger, page);
  const found = await run(near);
  if (found.length === page.limit) return found;
  const bounded = await boundedBy(db, ledger, filter, anchored(page, near), scopes);
  return run(bounded.range, bounded.each);

  async function run(range: EntryRange, each = leavesFew(filter, range)): Promise<LedgerEntry[]> {
    const statement = searchStatement(ledger, filter, range, scopes, each);
    if (statement === undefined) return [];
    const { rows } = await db.query<EntryRow>(statement.text, [...statement.values]);
    return rows.map((row) => toEntry(ledger, row));
  }
}

/** The part of `page` where a search begins, short enough to be read entry by entry. */
async function nearest(db: Queryable, ledger: LedgerId, page: EntryRange): Promise<EntryRange> {
  if (page.newestFirst !== true) {
    const after = page.after ?? 0n;
    return { ...page, after, before: earlier(page.before, after + NARROW_RANGE) };
  }
  const before = page.before ?? ((await readHead(db, ledger))?.seq ?? 0n) + 1n;
  const start = before - NARROW_RANGE;
  return { ...page, before, after: page.after === undefined || page.after < start ? start : page.after };
}

/** `page`, beginning where `near` begins: entries appended meanwhile are not part of it. */
function anchored(page: EntryRange, near: EntryRange): EntryRange {
  return page.newestFirst === true ? { ...page, before: near.before } : { ...page, after: near.after };
}

function earlier(one: bigint | undefined, other: bigint): bigint {
  return one === undefined || other < one ? other : one;
}

/** Above one entry in scope for each of so many positions, the positions of a page are read one by one. */
const SPARSE = 4n;

/**
 * The part of `page` that holds everything it shows: it ends where the entries in `scopes` by their own members fill it.
 * Entries in scope by their action are then found entry by entry when there are many entries in scope for so short a part
 * (`each`), else by all actions in scope. The cost is the smaller of the two: positions the page spans, or entries in scope.
 */
async function boundedBy(
  db: Queryable,
  ledger: LedgerId,
  filter: EntryFilter,
  page: EntryRange,
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

/** The query of `searchEntries`; undefined when its result must be empty. */
export function searchStatement(
  ledger: LedgerId,
  filter: EntryFilter,
  page: EntryRange,
  scopes?: readonly ReadScope[],
  each = leavesFew(filter, page),
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

/** A query for the first positions of a page in `scopes` by their entries' own members; undefined when none can match. */
function ownPositions(
  ledger: LedgerId,
  filter: EntryFilter,
  page: EntryRange,
  scopes: readonly ReadScope[],
): Statement | undefined {
  const begun = begin(ledger, filter, page);
  return begun && { text: positionsInScope(scopes, begun.candidates, begun.bind), values: begun.values };
}

/** A query for how many entries are in `scopes` by their own members, counted up to `limit`. */
function ownCount(ledger: LedgerId, limit: bigint, scopes: readonly ReadScope[]): Statement {
  const values: unknown[] = [ledger];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  return { text: countInScope(scopes, bind(limit), bind), values };
}

/** The parts that all statements about a page share; undefined when nothing can meet the filter. */
function begin(
  ledger: LedgerId,
  filter: EntryFilter,
  page: EntryRange,
): { readonly values: readonly unknown[]; readonly bind: Bind; readonly candidates: Candidates } | undefined {
  const values: unknown[] = [ledger];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const conditions = ["e.ledger = $1"];
  if (page.after !== undefined) conditions.push(`e.seq > ${bind(clampPosition(page.after))}::bigint`);
  if (page.before !== undefined) conditions.push(`e.seq < ${bind(clampPosition(page.before))}::bigint`);
  let tables = ENTRY_TABLES;
  let attempts = "";
  if (page.recorded !== undefined) {
    const from = `${bind(page.recorded.from)}::timestamptz`;
    const end = `${bind(page.recorded.before)}::timestamptz`;
    conditions.push(`e.recorded_at >= ${from}`, `e.recorded_at < ${end}`);
    tables = entryTablesBetween(from, end);
    attempts = `AND a.recorded_at >= ${from} AND a.recorded_at < ${end}`;
  }
  try {
    for (const condition of conditionsOf(filter, bind, attempts))
      if (condition !== undefined) conditions.push(condition);
  } catch (error) {
    if (error instanceof NothingMeetsThis) return undefined;
    throw error;
  }
  const direction = page.newestFirst === true ? "DESC" : "ASC";
  return { values, bind, candidates: { tables, conditions, direction, limit: bind(page.limit) } };
}

/** A range of at most so many positions is read entry by entry. */
const NARROW_RANGE = 4_096n;

/** Whether few entries meet the conditions, whatever the scopes: an index finds them. */
function leavesFew(filter: EntryFilter, { after, before }: EntryRange): boolean {
  if (after !== undefined && before !== undefined && before - after <= NARROW_RANGE) return true;
  const { sessionId, actionId, chainHash, sourceChainHash } = filter;
  return [sessionId, actionId, chainHash, sourceChainHash].some((value) => value !== undefined && value !== null);
}

class NothingMeetsThis extends Error {}

/** `attempts`: what else is known of refused attempts, with alias `a`. */
function conditionsOf(filter: EntryFilter, bind: Bind, attempts: string): readonly (string | undefined)[] {
  return [
    equals("actor_id", filter.actorId, bind),
    equals("on_behalf_of_id", filter.onBehalfOfId, bind),
    equalsId("session_id", filter.sessionId, bind),
    equalsId("chain", filter.chainHash, bind),
    equalsId("source_chain", filter.sourceChainHash, bind),
    equals("platform", filter.platform, bind),
    equals("tool", filter.tool, bind),
    equals("effect", filter.effect, bind),
    ofTypes(filter.types, bind),
    recorded(">=", filter.recordedFrom, bind),
    recorded("<=", filter.recordedTo, bind),
    ofAction(filter.actionId, bind, attempts),
    withEmail(filter.actorEmail, bind),
    withWords(filter.text, bind),
    withFragment(filter.contains, bind),
  ];
}

type Maybe<T> = T | null | undefined;

function equals(column: string, wanted: Maybe<string>, bind: Bind): string | undefined {
  if (wanted === undefined || wanted === null) return undefined;
  if (!isStorable(wanted)) throw new NothingMeetsThis();
  return `e.${column} = ${bind(wanted)}::text`;
}

function equalsId(column: string, wanted: Maybe<string>, bind: Bind): string | undefined {
  if (wanted === undefined || wanted === null) return undefined;
  return `e.${column} = ${bind(uuid(wanted))}::uuid`;
}

/** PostgreSQL's text holds no NUL, and nothing recorded holds a lone surrogate. */
function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}

function uuid(text: string): string {
  if (!isUuid(text)) throw new NothingMeetsThis();
  return text;
}

function ofTypes(types: Maybe<readonly string[]>, bind: Bind): string | undefined {
  if (types === undefined || types === null) return undefined;
  return `e.type = ANY (${bind(types.filter(isStorable))}::text[])`;
}

function recorded(comparison: "<=" | ">=", instant: Maybe<string>, bind: Bind): string | undefined {
  if (instant === undefined || instant === null) return undefined;
  return `e.recorded_at ${comparison} ${bind(timestampOf(instant))}::timestamptz`;
}

/** RFC 3339 knows a year 0000, PostgreSQL does not. */
function timestampOf<Instant extends string | undefined>(instant: Instant): Instant | "-infinity" {
  return instant?.startsWith("0000") === true ? "-infinity" : instant;
}

// The state row lists the entries that changed the action; a partial index holds the attempts that did not. Looked up
// first, as an array, so that the plan is a few positions and never a join over the ledger.
function ofAction(actionId: Maybe<string>, bind: Bind, attempts: string): string | undefined {
  if (actionId === undefined || actionId === null) return undefined;
  const id = bind(uuid(actionId));
  return `e.seq = ANY (ARRAY(
           SELECT unnest(s.entries) FROM oc_action s WHERE s.ledger = $1 AND s.id = ${id}::text
           UNION ALL
           SELECT a.seq FROM oc_audit_log a
            WHERE a.ledger = $1 AND a.action_id = ${id}::text::uuid AND a.state_version IS NULL ${attempts}))`;
}

// --- Conditions on erasable values. None has an index: a cheap look at the stored text rules most rows out before the
// --- rest is parsed.

/** Replaces NUL, which JSON text can contain and jsonb cannot. A noncharacter, so it has no other meaning in a text. */
const NUL_STAND_IN = "\uffff";
/** An escaped NUL: the backslash before `u0000` is not itself escaped. The same in JavaScript and PostgreSQL. */
const ESCAPED_NUL = "(?<!\\\\)((?:\\\\\\\\)*)\\\\u0000";

function withoutNul(json: string): string {
  return json.replace(new RegExp(ESCAPED_NUL, "g"), `$1${NUL_STAND_IN}`);
}

const PAYLOAD_TEXT = "p.payload::text";
const PAYLOAD_DOCUMENT = `(CASE WHEN strpos(${PAYLOAD_TEXT}, '\\u0000') = 0 THEN ${PAYLOAD_TEXT}
             ELSE regexp_replace(${PAYLOAD_TEXT}, '${ESCAPED_NUL}', '\\1${NUL_STAND_IN}', 'g') END)::jsonb`;

function withEmail(actorEmail: Maybe<string>, bind: Bind): string | undefined {
  if (actorEmail === undefined || actorEmail === null) return undefined;
  if (!isStorable(actorEmail)) throw new NothingMeetsThis();
  const collation = collationFor(actorEmail);
  const lower = (text: string) => `lower(${text} COLLATE ${collation})`;
  const member = bind(`"email":${JSON.stringify(actorEmail)}`);
  const address = (key: string) => lower(`d.document -> '${key}' -> 'value' ->> 'email'`);
  return `CASE WHEN strpos(${lower(PAYLOAD_TEXT)}, ${lower(`${member}::text`)}) = 0 THEN false
             ELSE (SELECT ${lower(`${bind(actorEmail)}::text`)}
                            IN (${address("actor.profile")}, ${address("onBehalfOf.profile")})
                     FROM (SELECT ${PAYLOAD_DOCUMENT} AS document OFFSET 0) d) END`;
}

// The stored text is searched first; only for entries that may match, facts are distinguished from names of members, salts
// and commitments. Facts are the values of a body except commitments, and erasable values with their keys.
const BODY_FACTS = `(SELECT string_agg(v::text, ' ')
                 FROM jsonb_path_query(CASE WHEN pg_input_is_valid(e.entry, 'jsonb') THEN e.entry::jsonb -> 'body' END,
                        '$.** ? (@.type() != "object" && @.type() != "array")') AS v
                WHERE NOT (length(v::text) = 66 AND v::text ~ '^"[0-9a-f]{64}"$'))`;
const PAYLOAD_FACTS = `(SELECT string_agg(v::text, ' ') FROM jsonb_path_query(${PAYLOAD_DOCUMENT}, '$.*.value') AS v)`;

function withWords(text: Maybe<string>, bind: Bind): string | undefined {
  const words = [...new Set(text?.split(/\s+/u).filter((word) => word !== ""))];
  if (words.length === 0) return undefined;
  const collation = collationFor(words.join(""));
  const lower = (expression: string) => `lower((${expression}) COLLATE ${collation})`;
  // Words are compared as JSON text writes them, on both sides.
  const stored = words.map((word) => JSON.stringify(word).slice(1, -1));
  const all = (wanted: readonly string[], facts: string) => `(
             SELECT bool_and(strpos(f.facts, ${lower("word")}) > 0)
               FROM (SELECT ${lower(facts)} AS facts OFFSET 0) f, unnest(${bind(wanted)}::text[]) AS word)`;
  const anywhere = all(stored, `e.entry || coalesce(${PAYLOAD_TEXT}, '')`);
  const among = all(stored.map(withoutNul), `concat_ws(' ', ${BODY_FACTS}, ${PAYLOAD_FACTS})`);
  return `CASE WHEN ${anywhere} THEN ${among} ELSE false END`;
}

/** ASCII words are found among bytes; others need Unicode's idea of case, which costs several times as much. */
function collationFor(text: string): string {
  return /^[\0-\x7f]*$/.test(text) ? '"C"' : '"pg_c_utf8"';
}

function withFragment(contains: Maybe<JsonValue>, bind: Bind): string | undefined {
  if (contains === undefined || contains === null) return undefined;
  const fragment = bind(withoutNul(canonicalFragment(contains)));
  const parts = bind([...new Set(textParts(contains))]);
  return `CASE WHEN (SELECT bool_and(strpos(${PAYLOAD_TEXT}, part) > 0) FROM unnest(${parts}::text[]) AS part) IS FALSE
                 OR p.payload IS NULL THEN false
             ELSE (SELECT d.document -> 'arguments' -> 'value' @> ${fragment}::jsonb
                       OR d.document -> 'result' -> 'value' @> ${fragment}::jsonb
                     FROM (SELECT ${PAYLOAD_DOCUMENT} AS document OFFSET 0) d) END`;
}

function canonicalFragment(fragment: JsonValue): string {
  try {
    return canonicalize(fragment);
  } catch (error) {
    if (error instanceof NotCanonicalError) throw new NothingMeetsThis();
    throw error;
  }
}

/** Texts that must occur in the payload's text if it is to contain `fragment`: its keys and strings, as JSON writes them. */
function* textParts(fragment: JsonValue | undefined): Generator<string> {
  if (typeof fragment === "string") yield JSON.stringify(fragment);
  if (typeof fragment !== "object" || fragment === null) return;
  for (const [key, member] of Object.entries(fragment)) {
    if (!Array.isArray(fragment)) yield `${JSON.stringify(key)}:`;
    yield* textParts(member);
  }
}
