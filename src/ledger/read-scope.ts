/**
 * The records that one of these principals made, that were made on behalf of one of these people (null: on behalf of
 * nobody), or both.
 */
export type PersonScope =
  | { readonly actorIds: readonly string[]; readonly people?: readonly (string | null)[] }
  | { readonly actorIds?: undefined; readonly people: readonly string[] };

/** A set of records that a viewer may read: those of people, or proposals that one of these groups may have to approve. */
export type ReadScope = PersonScope | { readonly askedGroups: readonly string[] };

/** Adds a value to the parameters of a statement. Returns its placeholder. */
export type Bind = (value: unknown) => string;

interface Columns {
  readonly actor: string;
  readonly person: string;
  /** The condition that one of the groups bound as `groups` was asked. */
  readonly asked: (groups: string) => string;
}

const asks = (alias: string, groups: string) =>
  `(${alias}.type = 'ACTION_PROPOSED' AND oc_asked_groups(${alias}.entry) && ${groups}::text[])`;

/** What the index oc_audit_log_asked holds, of the entry `alias`: written as there, or the index is of no use. */
const proposalAsks = (alias: string, groups: string) =>
  `(${alias}.type = 'ACTION_PROPOSED'
             AND strpos(replace(split_part(${alias}.entry, '"requirements":[{', 2), '"group":"approvers"', ''), '"group":"') > 0
             AND oc_asked_groups(${alias}.entry) && ${groups}::text[])`;

const OF_ENTRY = (alias: string): Columns => ({
  actor: `${alias}.actor_id`,
  person: `${alias}.on_behalf_of_id`,
  asked: (groups) => proposalAsks(alias, groups),
});
const OF_ACTION = (alias: string): Columns => ({
  actor: `${alias}.agent_id`,
  person: `${alias}.on_behalf_of_id`,
  asked: (groups) => `EXISTS (SELECT FROM oc_entries_at(${alias}.ledger, ARRAY[${alias}.proposed_seq]) q
                       WHERE ${asks("q", groups)})`,
});

function equalsOne({ actor, person, asked }: Columns, scope: ReadScope, bind: Bind): string {
  if ("askedGroups" in scope) return asked(bind(scope.askedGroups));
  const { actorIds, people } = scope;
  const conditions: string[] = [];
  if (actorIds !== undefined) conditions.push(`${actor} = ANY (${bind(actorIds)}::text[])`);
  if (people !== undefined) conditions.push(amongPeople(person, people, bind));
  return conditions.length === 0 ? "true" : conditions.join(" AND ");
}

function amongPeople(column: string, people: readonly (string | null)[], bind: Bind): string {
  const named = people.filter((person) => person !== null);
  // A value that is bound must be used: the database has to find its type.
  if (named.length === 0) return people.includes(null) ? `${column} IS NULL` : "false";
  const among = `${column} = ANY (${bind(named)}::text[])`;
  return people.includes(null) ? `(${column} IS NULL OR ${among})` : among;
}

function equalsAny(columns: Columns, scopes: readonly ReadScope[], bind: Bind): string {
  return `(${scopes.map((scope) => `(${equalsOne(columns, scope, bind)})`).join(" OR ") || "false"})`;
}

/** The condition that the entry `alias` is in one of `scopes` by its own members, whatever action it is about. */
export function entryInScope(alias: string, scopes: readonly ReadScope[], bind: Bind): string {
  return equalsAny(OF_ENTRY(alias), scopes, bind);
}

/**
 * The condition that the entry `e` is in one of `scopes`, by its own members or because the action it is about is. `$1` is
 * the ledger. Evaluated for each entry that meets the other conditions: for when these leave few.
 */
export function entryOrActionInScope(scopes: readonly ReadScope[], bind: Bind): string {
  // Not EXISTS: that can be planned as one look at all actions of theirs, however few entries are looked at.
  return `(${entryInScope("e", scopes, bind)}
           OR (SELECT ${equalsAny(OF_ACTION("s"), scopes, bind)} FROM oc_action s
                WHERE s.ledger = $1 AND s.id = e.action_id::text))`;
}

/** The condition that the action `alias`, a row of oc_action, is in one of `scopes`. */
export function actionInScope(alias: string, scopes: readonly ReadScope[], bind: Bind): string {
  return equalsAny(OF_ACTION(alias), scopes, bind);
}

/** Where candidates are looked for: `tables` has the alias `e`; `conditions` mention it. */
export interface Candidates extends Undirected {
  readonly direction: "ASC" | "DESC";
}

interface Undirected {
  readonly tables: string;
  readonly conditions: readonly string[];
  /** How many are wanted, as the statement names it. */
  readonly limit: string;
}

/**
 * The same as a condition that finds the first `limit` positions by index, one lookup for each scope. Its cost grows with
 * the entries in `scopes`, not with the length of the ledger.
 */
export function firstInScope(scopes: readonly ReadScope[], candidates: Candidates, bind: Bind): string {
  const { direction, limit } = candidates;
  const aboutActions = `
             SELECT c.seq FROM (${first(candidates, `e.seq = ANY (ARRAY(${positionsAbout(scopes, bind)}))`, `e.seq ${direction}`)}) c`;
  const ways = [...positionQueries(scopes, candidates, bind), aboutActions];
  return `e.seq = ANY (ARRAY(
           SELECT w.seq FROM (${ways.join("\n             UNION")}) w
            ORDER BY w.seq ${direction} LIMIT ${limit}::bigint))`;
}

/** A query for the first `limit` positions of entries in one of `scopes` by their own members. `$1` is the ledger. */
export function positionsInScope(scopes: readonly ReadScope[], candidates: Candidates, bind: Bind): string {
  const { direction, limit } = candidates;
  return `SELECT w.seq FROM (${positionQueries(scopes, candidates, bind).join("\n             UNION")}) w
           ORDER BY w.seq ${direction} LIMIT ${limit}::bigint`;
}

/** A query for how many such entries a ledger has, counted up to `limit`. `$1` is the ledger. */
export function countInScope(scopes: readonly ReadScope[], limit: string, bind: Bind): string {
  const candidates = { tables: "oc_audit_log e", conditions: ["e.ledger = $1"], limit };
  return `SELECT count(*) AS count FROM (
            SELECT FROM (${positionQueries(scopes, candidates, bind).join("\n             UNION ALL")}) w LIMIT ${limit}::bigint) c`;
}

/** One query for each of `scopes`, for positions of entries in it by their own members: the first, or any when undirected. */
function positionQueries(
  scopes: readonly ReadScope[],
  candidates: Undirected | Candidates,
  bind: Bind,
): readonly string[] {
  // Written as a range and ordered by the column as well: nothing but its index has that order, so no plan can come to be
  // preferred that walks the ledger in the hope of meeting the id soon.
  const orderOf = (column: IndexLookup["column"]) =>
    "direction" in candidates ? `e.${column} ${candidates.direction}, e.seq ${candidates.direction}` : undefined;
  const each = ({ ids, column, rest }: IndexLookup) => `
             SELECT c.seq FROM unnest(${bind(ids)}::text[]) AS k(id) CROSS JOIN LATERAL (${first(
               candidates,
               [`e.${column} >= k.id AND e.${column} <= k.id`, ...rest].join(" AND "),
               orderOf(column),
             )}) c`;
  return scopes.map((scope) =>
    "askedGroups" in scope
      ? `
             SELECT c.seq FROM (${first(candidates, entryInScope("e", [scope], bind), "direction" in candidates ? `e.seq ${candidates.direction}` : undefined)}) c`
      : each(indexLookup(scope, bind)),
  );
}

/** A query for the first `limit` positions of candidates that meet `condition`, by `order` if that matters. */
function first({ tables, conditions, limit }: Undirected, condition: string, order: string | undefined): string {
  return `
               SELECT e.seq FROM ${tables}
                WHERE ${[...conditions, condition].join(" AND ")}
                ${order === undefined ? "" : `ORDER BY ${order} `}LIMIT ${limit}::bigint`;
}

/** The index column to look up each of `ids` in, and further conditions. */
interface IndexLookup {
  readonly column: "actor_id" | "on_behalf_of_id";
  readonly ids: readonly string[];
  readonly rest: readonly string[];
}

/** By the people when they are named: one agent serves many, and a person has few agents. */
function indexLookup({ actorIds, people }: PersonScope, bind: Bind): IndexLookup {
  const named = (people ?? []).filter((person) => person !== null);
  if (people !== undefined && named.length === people.length) {
    const rest = actorIds === undefined ? [] : [`e.actor_id = ANY (${bind(actorIds)}::text[])`];
    return { column: "on_behalf_of_id", ids: named, rest };
  }
  const rest = people === undefined ? [] : [amongPeople("e.on_behalf_of_id", people, bind)];
  return { column: "actor_id", ids: actorIds ?? [], rest };
}

/** All positions about an action in `scopes`: state rows list the entries that changed it, an index the refused attempts. */
function positionsAbout(scopes: readonly ReadScope[], bind: Bind): string {
  return `
                 WITH mine AS MATERIALIZED (
                   SELECT m.action_id AS id FROM oc_audit_log m
                    WHERE m.ledger = $1 AND m.action_id IS NOT NULL AND m.state_version = 1 AND ${entryInScope("m", scopes, bind)})
                 SELECT unnest(s.entries) FROM mine JOIN oc_action s ON s.ledger = $1 AND s.id = mine.id::text
                  UNION ALL
                 SELECT a.seq FROM mine JOIN oc_audit_log a
                     ON a.ledger = $1 AND a.action_id = mine.id AND a.state_version IS NULL`;
}
