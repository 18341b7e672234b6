import { edgeColumns } from "../../../ledger/edges.ts";
import { entryInScope } from "../../../ledger/read-scope.ts";
import { withListErrors } from "../../ledger-errors.ts";
import { type EdgeRow, type EdgeSource, type ProvenEdge, proveEdges } from "./proven-edges.ts";
import type { WalkedEdge } from "./walk.ts";

/** Of each member that is given, only edges with this value. */
export interface EdgeFilter {
  readonly kind?: string | undefined;
  readonly chain?: string | undefined;
  readonly sourceChain?: string | undefined;
  readonly platform?: string | undefined;
  readonly sourcePlatform?: string | undefined;
  readonly region?: string | undefined;
  readonly sourceRegion?: string | undefined;
  /** RFC 3339: when the write was recorded, both included. */
  readonly recordedFrom?: string | undefined;
  readonly recordedTo?: string | undefined;
}

/** `after`: behind the edge at this place, as `placeOf` names it. */
export interface EdgeRange {
  readonly after: bigint | undefined;
  readonly limit: number;
  readonly newestFirst: boolean;
}

export interface EdgePage {
  readonly edges: readonly WalkedEdge[];
  /** Where looking for more ended before there were enough. */
  readonly stoppedAt: bigint | undefined;
}

/** Rows that a page looks at for a caller who may not see all. */
const MOST_LOOKED_AT = 10_000;
/** More than an entry has edges. */
const EDGES_OF_ENTRY = 32_768n;

/** The place of an edge among all of a ledger, as one number. */
export function placeOf({ entry, n }: Pick<ProvenEdge, "entry" | "n">): bigint {
  return entry.seq * EDGES_OF_ENTRY + BigInt(n);
}

type Row = EdgeRow & { readonly n: number; readonly visible: boolean };

/**
 * Edges that the caller may see, of which the read is in a chain that is known, in the order in which they were recorded: those of which they
 * may read the write. Two statements.
 */
export async function listEdges(source: EdgeSource, filter: EdgeFilter, range: EdgeRange): Promise<EdgePage> {
  const { ledger, db, scopes } = source;
  const { after, limit, newestFirst } = range;
  const values: unknown[] = [ledger];
  const bind = (value: unknown) => `$${values.push(value)}`;
  const conditions = conditionsOf(filter, bind);
  const [direction, behind] = newestFirst ? ["DESC", "<"] : ["ASC", ">"];
  if (after !== undefined) {
    const [seq, n] = [after / EDGES_OF_ENTRY, after % EDGES_OF_ENTRY];
    conditions.push(`(e.seq, e.n) ${behind} (${bind(seq)}::bigint, ${bind(n)}::bigint)`);
  }
  const wanted = scopes === undefined ? limit : MOST_LOOKED_AT;
  const visible =
    scopes === undefined
      ? "true"
      : `EXISTS (SELECT FROM oc_audit_log l
                  WHERE l.ledger = $1 AND l.seq = e.seq AND l.recorded_at = e.recorded_at AND ${entryInScope("l", scopes, bind)})`;
  // The rows that are looked at come first, so that no plan looks for those that are visible among all.
  const text = `
    WITH looked AS MATERIALIZED (
      SELECT e.* FROM oc_lineage_edge e
       WHERE ${["e.ledger = $1", "e.source_chain IS NOT NULL", ...conditions].join(" AND ")}
       ORDER BY e.seq ${direction}, e.n ${direction} LIMIT ${bind(wanted)}::bigint),
    shown AS (
      SELECT e.* FROM looked e WHERE ${visible} ORDER BY e.seq ${direction}, e.n ${direction} LIMIT ${bind(limit)}::bigint)
    SELECT e.seq::text AS seq, e.n, true AS visible, ${edgeColumns("e")} AS columns FROM shown e
     UNION ALL
    (SELECT e.seq::text, e.n, false, NULL FROM looked e WHERE (SELECT count(*) FROM looked) >= ${bind(wanted)}::bigint
      ORDER BY e.seq ${direction === "ASC" ? "DESC" : "ASC"}, e.n ${direction === "ASC" ? "DESC" : "ASC"} LIMIT 1)`;
  const { rows } = await withListErrors(db.query<Row>({ text, values }));
  const found = rows.filter((row) => row.visible);
  const last = rows.find((row) => !row.visible);
  const edges = await proveEdges(source, found);
  const isShort = found.length < limit && last !== undefined && scopes !== undefined;
  return {
    edges: edges.filter((edge): edge is WalkedEdge => edge.sourceChain !== null),
    stoppedAt: isShort ? BigInt(last.seq) * EDGES_OF_ENTRY + BigInt(last.n) : undefined,
  };
}

const COLUMNS = {
  kind: "kind",
  chain: "chain",
  sourceChain: "source_chain",
  platform: "platform",
  sourcePlatform: "source_platform",
  region: "region",
  sourceRegion: "source_region",
} as const satisfies Partial<Record<keyof EdgeFilter, string>>;

function conditionsOf(filter: EdgeFilter, bind: (value: unknown) => string): string[] {
  const conditions = Object.entries(COLUMNS).flatMap(([name, column]) => {
    const value = filter[name as keyof typeof COLUMNS];
    return value === undefined ? [] : [`e.${column} = ${bind(value)}`];
  });
  const { recordedFrom, recordedTo } = filter;
  if (recordedFrom !== undefined) {
    conditions.push(`e.seq >= (SELECT oc_position_at($1, ${bind(recordedFrom)}::timestamptz))`);
  }
  if (recordedTo !== undefined) {
    conditions.push(`e.seq < (SELECT oc_position_at($1, ${bind(recordedTo)}::timestamptz + interval '1 microsecond'))`);
  }
  return conditions;
}
