import { edgeColumns } from "../../../ledger/edges.ts";
import { entryInScope, type ReadScope } from "../../../ledger/read-scope.ts";
import { withListErrors } from "../../ledger-errors.ts";
import type { EdgeRow, EdgeSource } from "./proven-edges.ts";

export type Way = "UPSTREAM" | "DOWNSTREAM";

/** A chain to go on from. */
export interface Stop {
  /** Where its steps are recorded. */
  readonly ledger: string;
  readonly chain: string;
  /** RFC 3339: only edges of writes until then are followed upstream, from then on downstream. */
  readonly at: string;
  /** How many edges may be followed from here. */
  readonly left: number;
}

/** What a walk begins with in place of all edges of its only stop. */
export interface Beginning {
  /** Upstream: the edges of this write. */
  readonly writeAt?: string | undefined;
  /** Downstream: those that are observed to have values of a read with one of these positions, or that may have, by its first. */
  readonly readsAt?: readonly string[] | undefined;
}

export interface Bounds {
  /** How many chains and edges are looked for, and at how many rows at most. */
  readonly chains: number;
  readonly edges: number;
  readonly rows: number;
}

export interface Steps {
  /** In the order in which they were found; of those between two chains the one that tells most. Upstream also those to reads of other ledgers of which no chain is known. */
  readonly edges: readonly EdgeRow[];
  /** Chains that were reached, those of other ledgers included. */
  readonly reached: readonly Stop[];
  /** Whether there is more. */
  readonly isCut: boolean;
}

interface Row {
  readonly edges: readonly EdgeRow[] | null;
  readonly reached: readonly (readonly [ledger: string, chain: string, at: string, left: number])[] | null;
  readonly cut: boolean;
}

/**
 * Follows edges of one ledger from `stops`, in one statement. Each level looks up the edges of all chains that the one before has reached, in
 * one index. What was seen is not looked up again, unless it is reached at a time from which there can be more: cycles end. A write is
 * followed, and its source, where they are in one of the scopes of the caller.
 */
export async function followEdges(
  { ledger, db, scopes }: EdgeSource,
  way: Way,
  stops: readonly Stop[],
  { writeAt, readsAt }: Beginning,
  { chains, edges, rows }: Bounds,
): Promise<Steps> {
  const values: unknown[] = [
    ledger,
    stops.map(({ chain }) => chain),
    stops.map((stop) => stop.ledger),
    stops.map(({ at }) => at),
    stops.map(({ left }) => left),
    chains,
    edges,
    rows,
  ];
  const bind = (value: unknown) => `$${values.push(value)}`;
  const begins = way === "UPSTREAM" ? `${bind(writeAt ?? null)}::bigint` : `${bind(readsAt ?? null)}::bigint[]`;
  const text = statementOf(way, begins, scopes, bind);
  const found = await withListErrors(db.query<Row>({ text, values }));
  const [row] = found.rows;
  if (row === undefined) throw new Error("an aggregate returned no row");
  return {
    edges: row.edges ?? [],
    reached: (row.reached ?? []).map(([place, chain, at, left]) => ({ ledger: place, chain, at, left })),
    isCut: row.cut,
  };
}

/** What differs between the two ways. */
interface Terms {
  /** The edges of the chain `f`. */
  readonly of: string;
  /** Those that the walk begins with, by the value that is given. */
  readonly first: (given: string) => string;
  readonly order: string;
  readonly next: string;
  readonly nextLedger: string;
  /** Of several times at which a chain is reached, the one from which there is most to find; and whether `one` is as good as `other`. */
  readonly best: (time: string) => string;
  readonly isAsGood: (one: string, other: string) => string;
}

const TERMS: Readonly<Record<Way, Terms>> = {
  UPSTREAM: {
    of: "e.chain = f.chain AND e.recorded_at <= f.at",
    first: (given) => `e.seq = ${given}`,
    order: "e.seq DESC, e.n",
    next: "x.source_chain",
    nextLedger: "x.source_ledger",
    best: (time) => `max(${time})`,
    isAsGood: (one, other) => `${one} >= ${other}`,
  },
  DOWNSTREAM: {
    of: "e.source_chain = f.chain AND e.source_ledger = f.ledger AND e.recorded_at >= f.at",
    first: (
      given,
    ) => `CASE WHEN e.source_seq IS NULL THEN true WHEN e.kind = 'OBSERVED' THEN e.source_seq = ANY (${given})
                 ELSE e.source_seq >= (${given})[1] END`,
    order: "e.source_seq, e.seq, e.n",
    next: "x.chain",
    nextLedger: "$1",
    best: (time) => `min(${time})`,
    isAsGood: (one, other) => `${one} <= ${other}`,
  },
};

type Bind = (value: unknown) => string;

function statementOf(way: Way, given: string, scopes: readonly ReadScope[] | undefined, bind: Bind): string {
  const { of, first, order, next, nextLedger, best, isAsGood } = TERMS[way];
  return `
    WITH RECURSIVE walk AS (
      SELECT 0 AS level, $2::uuid[] AS chains, $3::text[] AS ledgers, $4::timestamptz[] AS ats, $5::integer[] AS lefts,
             -- A chain of which only some edges are followed at first may be reached again.
             CASE WHEN ${given} IS NULL THEN $2::uuid[] ELSE '{}' END AS seen,
             CASE WHEN ${given} IS NULL THEN $4::timestamptz[] ELSE '{}' END AS seen_ats,
             CASE WHEN ${given} IS NULL THEN $5::integer[] ELSE '{}' END AS seen_lefts,
             '{}'::bigint[] AS seqs, '{}'::smallint[] AS ns, '[]'::jsonb AS reached, 0 AS edges, false AS cut
       UNION ALL
      SELECT w.level + 1, n.chains, n.ledgers, n.ats, n.lefts, w.seen || n.chains, w.seen_ats || n.ats, w.seen_lefts || n.lefts,
             n.seqs, n.ns, n.reached, w.edges + cardinality(n.seqs), n.cut
        FROM walk w
       CROSS JOIN LATERAL (
         WITH found AS MATERIALIZED (
           SELECT d.*, f."left"
             FROM unnest(w.chains, w.ledgers, w.ats, w.lefts) AS f(chain, ledger, at, "left")
            CROSS JOIN LATERAL (
              SELECT e.seq, e.n, e.kind, e.strength, e.recorded_at, e.chain, e.source_chain, e.source_ledger, e.source_seq
                FROM oc_lineage_edge e
               WHERE e.ledger = $1 AND ${of} AND (w.level > 0 OR ${given} IS NULL OR ${first(given)})
                 AND ${isReadable(way, scopes, bind)}
               ORDER BY ${order} LIMIT $8) d
            LIMIT $8
         ), pairs AS MATERIALIZED (
           SELECT DISTINCT ON (x.chain, x.source_ledger, x.source_chain) x.seq, x.n
             FROM found x WHERE x."left" > 0
            ORDER BY x.chain, x.source_ledger, x.source_chain, x.kind, x.strength DESC NULLS LAST, x.seq, x.n
         ), ends AS MATERIALIZED (
           SELECT ${next} AS chain, ${nextLedger} AS ledger, ${best("x.recorded_at")} AS at, max(x."left") - 1 AS "left"
             FROM found x WHERE x."left" > 0 AND ${next} IS NOT NULL GROUP BY 1, 2
         ), fresh AS MATERIALIZED (
           SELECT y.* FROM ends y
            WHERE y.ledger = $1
              AND NOT EXISTS (SELECT FROM unnest(w.seen, w.seen_ats, w.seen_lefts) AS s(chain, at, "left")
                               WHERE s.chain = y.chain AND ${isAsGood("s.at", "y.at")} AND s."left" >= y."left")
            ORDER BY y.at, y.chain LIMIT greatest($6::integer + 1 - cardinality(w.seen), 0)
         ), told AS MATERIALIZED (SELECT p.* FROM pairs p ORDER BY p.seq, p.n LIMIT greatest($7::integer + 1 - w.edges, 0))
         SELECT c.*, t.*, (SELECT coalesce(jsonb_agg(jsonb_build_array(y.ledger, y.chain, y.at, y."left")), '[]') FROM ends y
                            WHERE y.ledger <> $1 OR y.chain IN (SELECT z.chain FROM fresh z)) AS reached,
                (SELECT count(*) FROM found) >= $8 OR (SELECT count(*) FROM pairs) > cardinality(t.seqs)
                OR EXISTS (SELECT FROM found x
                            WHERE x."left" = 0 AND (${next} <> ALL (w.seen || w.chains || c.chains)) IS NOT FALSE) AS cut
           FROM (SELECT coalesce(array_agg(y.chain), '{}') AS chains, coalesce(array_agg(y.ledger), '{}') AS ledgers,
                        coalesce(array_agg(y.at), '{}') AS ats, coalesce(array_agg(y."left"), '{}') AS lefts FROM fresh y) c,
                (SELECT coalesce(array_agg(p.seq ORDER BY p.seq, p.n), '{}') AS seqs, coalesce(array_agg(p.n ORDER BY p.seq, p.n), '{}') AS ns
                   FROM told p) t) n
       WHERE cardinality(w.chains) > 0 AND w.edges <= $7 AND cardinality(w.seen) <= $6
    )
    SELECT (SELECT json_agg(json_build_object('seq', e.seq::text, 'columns', ${edgeColumns("e")}) ORDER BY w.level, e.seq, e.n)
              FROM walk w CROSS JOIN LATERAL unnest(w.seqs, w.ns) AS p(seq, n)
              JOIN oc_lineage_edge e ON e.ledger = $1 AND e.seq = p.seq AND e.n = p.n) AS edges,
           (SELECT jsonb_agg(r.stop) FROM walk w CROSS JOIN LATERAL jsonb_array_elements(w.reached) AS r(stop)) AS reached,
           (SELECT bool_or(w.cut OR (w.level > 0 AND (w.edges > $7 OR cardinality(w.seen) > $6))) FROM walk w) AS cut`;
}

/** The condition that the caller may read the write of the edge `e`, and upstream the read in the same ledger that it names. */
function isReadable(way: Way, scopes: readonly ReadScope[] | undefined, bind: Bind): string {
  if (scopes === undefined) return "true";
  // By the time of the row, and the month of the read: no other partition is opened.
  const write = `EXISTS (SELECT FROM oc_audit_log l
                          WHERE l.ledger = $1 AND l.seq = e.seq AND l.recorded_at = e.recorded_at AND ${entryInScope("l", scopes, bind)})`;
  if (way === "DOWNSTREAM") return write;
  const since = "(SELECT m.since FROM (SELECT oc_month_start($1, e.source_seq) AS since OFFSET 0) m)";
  return `${write}
                 AND CASE WHEN e.source_ledger <> $1 THEN true
                          WHEN e.source_seq IS NULL THEN EXISTS (
                            SELECT FROM oc_audit_log l
                             WHERE l.ledger = $1 AND l.chain = e.source_chain AND ${entryInScope("l", scopes, bind)})
                          ELSE EXISTS (
                            SELECT FROM oc_audit_log l
                             WHERE l.ledger = $1 AND l.seq = e.source_seq AND l.recorded_at >= ${since} AND l.recorded_at <= e.recorded_at
                               AND ${entryInScope("l", scopes, bind)}) END`;
}
