import type { LedgerId } from "../../facts/entry.ts";

/** Entries of a ledger, by their positions and by when they were recorded. */
export interface Recorded {
  readonly ledger: LedgerId;
  /** RFC 3339. */
  readonly from: string;
  /** RFC 3339; entries recorded then do not belong to it. */
  readonly to: string;
  readonly first: bigint;
  /** The position behind the last one. */
  readonly end: bigint;
}

/** How long before it is decided an action may have been proposed: the longest that one can wait for people is a year. */
const WAITING = "interval '400 days'";

/** What can stand in a query as a text. Ledgers and instants have nothing else. */
function literal(text: string): string {
  if (!/^[A-Za-z0-9_/:.-]*$/.test(text)) throw new TypeError(`${text} cannot stand in a query`);
  return `'${text}'`;
}

/** The positions and times of `recorded`, as a condition on entries `e`. */
function within({ ledger, from, to, first, end }: Recorded): string {
  return `e.ledger = ${literal(ledger)} AND e.seq >= ${first} AND e.seq < ${end}
       AND e.recorded_at >= ${literal(from)} AND e.recorded_at < ${literal(to)}`;
}

/** The body of the entry `e`; null when it cannot be read. */
const BODY = "CASE WHEN pg_input_is_valid(e.entry, 'jsonb') THEN e.entry::jsonb -> 'body' END";

/** Who decides by the entry `e`: the actor, and whose right they use where it is not their own. */
const PEOPLE = "array_remove(ARRAY[e.actor_id, b.body #>> '{decision,delegatedBy,id}'], NULL)";

/**
 * `judged`, the decisions of people, each with what separates the duties of those involved. What is missing or cannot be read counts as a violation.
 */
function judgedDecisions(recorded: Recorded): string {
  const { ledger, from, to } = recorded;
  return `WITH decided AS MATERIALIZED (
    SELECT e.seq, e.type, e.action_id, e.actor_id, e.recorded_at, b.body #>> '{actor,kind}' AS kind, ${PEOPLE} AS people
      FROM public.oc_audit_log e
     CROSS JOIN LATERAL (SELECT ${BODY} AS body OFFSET 0) b
     WHERE ${within(recorded)}
       AND e.type IN ('ACTION_APPROVED', 'ACTION_DENIED', 'ACTION_BROKEN_GLASS')
  ), history AS MATERIALIZED (
    SELECT h.*
      FROM (SELECT DISTINCT d.action_id FROM decided d) a
     -- By the index of actions, one after the other: there are far fewer decisions than entries.
     CROSS JOIN LATERAL (
       SELECT e.seq, e.type, e.action_id, e.actor_id, e.on_behalf_of_id, b.body #> '{policy,requirements}' AS requirements, ${PEOPLE} AS people
         FROM public.oc_audit_log e
        CROSS JOIN LATERAL (SELECT ${BODY} AS body OFFSET 0) b
        WHERE e.ledger = ${literal(ledger)} AND e.action_id = a.action_id
          AND e.recorded_at >= timestamptz ${literal(from)} - ${WAITING} AND e.recorded_at < ${literal(to)}
          AND e.state_version IS NOT NULL AND e.type IN ('ACTION_PROPOSED', 'ACTION_APPROVED')
       OFFSET 0
     ) h
  ), votes AS (
    SELECT h.action_id, person, min(h.seq) AS seq
      FROM history h CROSS JOIN unnest(h.people) person
     WHERE h.type = 'ACTION_APPROVED'
     GROUP BY 1, 2
  ), repeated AS (
    SELECT DISTINCT d.seq
      FROM decided d CROSS JOIN unnest(d.people) someone
      JOIN votes v ON v.action_id = d.action_id AND v.person = someone AND v.seq < d.seq
     WHERE d.type = 'ACTION_APPROVED'
  ), proposals AS (
    SELECT DISTINCT ON (h.action_id) h.*, array_remove(ARRAY[h.actor_id, h.on_behalf_of_id], NULL) AS requesters
      FROM history h WHERE h.type = 'ACTION_PROPOSED' ORDER BY h.action_id, h.seq
  ), judged AS (
    SELECT d.kind IS DISTINCT FROM 'HUMAN' AS not_a_person,
           p.requirements IS NULL AS not_proposed,
           r.seq IS NOT NULL AS approved_before,
           coalesce(d.people && p.requesters, false) AS own,
           -- A requirement can let whoever asked approve, not in the place of somebody else: always the person an agent acts for, or
           -- anybody from some time on.
           d.type <> 'ACTION_BROKEN_GLASS' AND cardinality(d.people) = 1 AND EXISTS (
             SELECT FROM jsonb_path_query(p.requirements, '$[*]') q
              WHERE (q -> 'ownerConfirms' = 'true' AND d.actor_id = p.on_behalf_of_id AND d.actor_id <> p.actor_id)
                 OR CASE WHEN pg_input_is_valid(q ->> 'requesterAfter', 'timestamptz')
                         THEN (q ->> 'requesterAfter')::timestamptz <= d.recorded_at ELSE false END
           ) AS permitted
      FROM decided d
      LEFT JOIN proposals p ON p.action_id = d.action_id
      LEFT JOIN repeated r ON r.seq = d.seq
  )`;
}

/** One row: `decisions`, `violations`, `exceptions`. */
export function separationQuery(recorded: Recorded): string {
  return `${judgedDecisions(recorded)}
SELECT count(*) AS decisions,
       count(*) FILTER (WHERE not_a_person OR not_proposed OR approved_before OR own AND NOT permitted) AS violations,
       count(*) FILTER (WHERE own AND permitted) AS exceptions
  FROM judged`;
}

/** One row of all decisions, with `approver` null, and one for each of the `most` people who decided most often. */
export function decisionsQuery(recorded: Recorded, most: number): string {
  const { ledger, from, to } = recorded;
  return `WITH decided AS MATERIALIZED (
    SELECT e.action_id, e.actor_id, e.type, e.recorded_at, ${BODY} #>> '{decision,firstShownAt}' AS shown
      FROM public.oc_audit_log e
     WHERE ${within(recorded)}
       AND e.type IN ('ACTION_APPROVED', 'ACTION_DENIED')
  ), timed AS (
    SELECT d.actor_id, d.type, s.shown_at,
           extract(epoch FROM d.recorded_at - p.recorded_at)::float8 AS waited,
           extract(epoch FROM d.recorded_at - coalesce(s.shown_at, p.recorded_at))::float8 AS considered
      FROM decided d
     CROSS JOIN LATERAL (SELECT CASE WHEN pg_input_is_valid(d.shown, 'timestamptz') THEN d.shown::timestamptz END AS shown_at) s
      LEFT JOIN LATERAL (
        SELECT e.recorded_at FROM public.oc_audit_log e
         WHERE e.ledger = ${literal(ledger)} AND e.action_id = d.action_id AND e.state_version = 1
           AND e.recorded_at >= timestamptz ${literal(from)} - ${WAITING} AND e.recorded_at < ${literal(to)}
         LIMIT 1
      ) p ON true
  )
SELECT actor_id AS approver, grouping(actor_id) = 1 AS everybody, count(*) AS decisions,
       count(*) FILTER (WHERE type = 'ACTION_DENIED') AS denials,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY waited) AS median,
       count(*) FILTER (WHERE considered <= 5) AS quick, count(considered) AS considered,
       count(shown_at) AS opened
  FROM timed
 GROUP BY GROUPING SETS ((), (actor_id))
 ORDER BY everybody DESC, decisions DESC, approver
 LIMIT ${most + 1}`;
}

/**
 * One row: `outcomes`, how many proposals had which; `rules`, the ids of those that matched; `revoked`, approvals that people took back; `broken`,
 * actions that somebody approved alone in an emergency.
 */
export function proposalsQuery(recorded: Recorded): string {
  return `WITH entries AS MATERIALIZED (
    SELECT e.type, b.body #>> '{policy,outcome}' AS outcome, b.body #>> '{actor,kind}' AS kind,
           ARRAY(SELECT jsonb_path_query(b.body, '$.policy.rules[*].ruleId') #>> '{}') AS rules
      FROM public.oc_audit_log e
     CROSS JOIN LATERAL (SELECT ${BODY} AS body OFFSET 0) b
     WHERE ${within(recorded)}
       AND e.type IN ('ACTION_PROPOSED', 'APPROVAL_REVOKED', 'ACTION_BROKEN_GLASS')
  ), outcomes AS (
    SELECT coalesce(outcome, 'UNKNOWN') AS outcome, count(*) AS proposals FROM entries WHERE type = 'ACTION_PROPOSED' GROUP BY 1
  )
SELECT (SELECT coalesce(jsonb_object_agg(outcome, proposals), '{}') FROM outcomes) AS outcomes,
       ARRAY(SELECT DISTINCT rule FROM entries, unnest(rules) AS rule WHERE rule IS NOT NULL) AS rules,
       (SELECT count(*) FROM entries WHERE type = 'APPROVAL_REVOKED' AND kind = 'HUMAN') AS revoked,
       (SELECT count(*) FROM entries WHERE type = 'ACTION_BROKEN_GLASS') AS broken`;
}

/** One row for each status that actions proposed in `recorded` have now. */
export function statusesQuery({ ledger, first, end }: Recorded, statuses: readonly string[]): string {
  return `SELECT s.status, count(*) AS actions
  FROM public.oc_state s
 WHERE s.kind = 'ACTION' AND s.status IN (${statuses.map(literal).join(", ")})
   AND s.ledger = ${literal(ledger)} AND s.first_seq >= ${first} AND s.first_seq < ${end}
 GROUP BY s.status`;
}
