/**
 * What a record says of whom it concerns: that one of these did it, that it was done for one of these people (null: for
 * nobody), or both.
 */
export type PersonalConcern =
  | { readonly actorIds: readonly string[]; readonly people?: readonly (string | null)[] }
  | { readonly actorIds?: undefined; readonly people: readonly string[] };

/** The same, or that policy asked the people of one of these groups about the action. */
export type Concern = PersonalConcern | { readonly askedGroups: readonly string[] };

/** Puts a value into a statement and answers how the statement names it. */
export type Bind = (value: unknown) => string;

interface Columns {
  readonly actor: string;
  readonly person: string;
  /** The condition that one of the groups bound as `groups` was asked. */
  readonly asked: (groups: string) => string;
}

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
  asked: (groups) => `EXISTS (SELECT FROM oc_audit_log q
                       WHERE q.ledger = ${alias}.ledger AND q.seq = ${alias}.proposed_seq AND ${proposalAsks("q", groups)})`,
});

function equalsOne({ actor, person, asked }: Columns, concern: Concern, bind: Bind): string {
  if ("askedGroups" in concern) return asked(bind(concern.askedGroups));
  const { actorIds, people } = concern;
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

function equalsAny(columns: Columns, whose: readonly Concern[], bind: Bind): string {
  return `(${whose.map((concern) => `(${equalsOne(columns, concern, bind)})`).join(" OR ") || "false"})`;
}

/** Whether the entry `alias` itself says that it concerns one of `whose`. */
export function entryConcerns(alias: string, whose: readonly Concern[], bind: Bind): string {
  return equalsAny(OF_ENTRY(alias), whose, bind);
}

/**
 * Whether the entry `e` concerns one of `whose`, by itself or because the action it is about does. `$1` is the ledger.
 * Looks at each entry that meets the other conditions: for when these leave few.
 */
export function concernsEach(whose: readonly Concern[], bind: Bind): string {
  // Not EXISTS: that can be planned as one look at all actions of theirs, however few entries are looked at.
  return `(${entryConcerns("e", whose, bind)}
           OR (SELECT ${equalsAny(OF_ACTION("s"), whose, bind)} FROM oc_action s
                WHERE s.ledger = $1 AND s.id = e.action_id::text))`;
}

/** Whether the action `alias`, a row of oc_action, concerns one of `whose`. */
export function actionConcerns(alias: string, whose: readonly Concern[], bind: Bind): string {
  return equalsAny(OF_ACTION(alias), whose, bind);
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
 * The same as a condition that finds the first `limit` positions by themselves, one way after the other. What it costs
 * grows with what concerns `whose`, not with a ledger in which hardly anything does.
 */
export function concernsFirst(whose: readonly Concern[], candidates: Candidates, bind: Bind): string {
  const { direction, limit } = candidates;
  const aboutActions = `
             SELECT c.seq FROM (${first(candidates, `e.seq = ANY (ARRAY(${positionsAbout(whose, bind)}))`, `e.seq ${direction}`)}) c`;
  const ways = [...waysTo(whose, candidates, bind), aboutActions];
  return `e.seq = ANY (ARRAY(
           SELECT w.seq FROM (${ways.join("\n             UNION")}) w
            ORDER BY w.seq ${direction} LIMIT ${limit}::bigint))`;
}

/** A query for the first `limit` positions of entries that concern one of `whose` by themselves. `$1` is the ledger. */
export function positionsConcerning(whose: readonly Concern[], candidates: Candidates, bind: Bind): string {
  const { direction, limit } = candidates;
  return `SELECT w.seq FROM (${waysTo(whose, candidates, bind).join("\n             UNION")}) w
           ORDER BY w.seq ${direction} LIMIT ${limit}::bigint`;
}

/** A query for how many such entries a ledger has, counted up to `limit`. `$1` is the ledger. */
export function countConcerning(whose: readonly Concern[], limit: string, bind: Bind): string {
  const candidates = { tables: "oc_audit_log e", conditions: ["e.ledger = $1"], limit };
  return `SELECT count(*) AS count FROM (
            SELECT FROM (${waysTo(whose, candidates, bind).join("\n             UNION ALL")}) w LIMIT ${limit}::bigint) c`;
}

/** A query for each of `whose`, for positions of entries that say that they concern it: the first, or any when undirected. */
function waysTo(whose: readonly Concern[], candidates: Undirected | Candidates, bind: Bind): readonly string[] {
  // Written as a range and ordered by the column as well: nothing but its index has that order, so no plan can come to be
  // preferred that walks the ledger in the hope of meeting the id soon.
  const orderOf = (column: Way["column"]) =>
    "direction" in candidates ? `e.${column} ${candidates.direction}, e.seq ${candidates.direction}` : undefined;
  const each = ({ ids, column, rest }: Way) => `
             SELECT c.seq FROM unnest(${bind(ids)}::text[]) AS k(id) CROSS JOIN LATERAL (${first(
               candidates,
               [`e.${column} >= k.id AND e.${column} <= k.id`, ...rest].join(" AND "),
               orderOf(column),
             )}) c`;
  return whose.map((concern) =>
    "askedGroups" in concern
      ? `
             SELECT c.seq FROM (${first(candidates, entryConcerns("e", [concern], bind), "direction" in candidates ? `e.seq ${candidates.direction}` : undefined)}) c`
      : each(wayTo(concern, bind)),
  );
}

/** A query for the first `limit` positions of candidates that meet `condition`, by `order` if that matters. */
function first({ tables, conditions, limit }: Undirected, condition: string, order: string | undefined): string {
  return `
               SELECT e.seq FROM ${tables}
                WHERE ${[...conditions, condition].join(" AND ")}
                ${order === undefined ? "" : `ORDER BY ${order} `}LIMIT ${limit}::bigint`;
}

/** The index to look into for each of `ids`, and what else must hold there. */
interface Way {
  readonly column: "actor_id" | "on_behalf_of_id";
  readonly ids: readonly string[];
  readonly rest: readonly string[];
}

/** By the people when they are named: one agent serves many, and a person has few agents. */
function wayTo({ actorIds, people }: PersonalConcern, bind: Bind): Way {
  const named = (people ?? []).filter((person) => person !== null);
  if (people !== undefined && named.length === people.length) {
    const rest = actorIds === undefined ? [] : [`e.actor_id = ANY (${bind(actorIds)}::text[])`];
    return { column: "on_behalf_of_id", ids: named, rest };
  }
  const rest = people === undefined ? [] : [amongPeople("e.on_behalf_of_id", people, bind)];
  return { column: "actor_id", ids: actorIds ?? [], rest };
}

/** Every position that is about an action of `whose`: state rows list what changed one, an index what tried to. */
function positionsAbout(whose: readonly Concern[], bind: Bind): string {
  return `
                 WITH mine AS MATERIALIZED (
                   SELECT m.action_id AS id FROM oc_audit_log m
                    WHERE m.ledger = $1 AND m.action_id IS NOT NULL AND m.state_version = 1 AND ${entryConcerns("m", whose, bind)})
                 SELECT unnest(s.entries) FROM mine JOIN oc_action s ON s.ledger = $1 AND s.id = mine.id::text
                  UNION ALL
                 SELECT a.seq FROM mine JOIN oc_audit_log a
                     ON a.ledger = $1 AND a.action_id = mine.id AND a.state_version IS NULL`;
}
