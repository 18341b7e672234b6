/**
 * The columns of the row `alias` of `oc_lineage_edge`, in the order of `EdgeColumns` (`src/facts/edges.ts`), as one JSON array. In SQL, in
 * which no name depends on a search path.
 */
export function edgeColumns(alias: string): string {
  return `pg_catalog.json_build_array(${alias}.n, ${alias}.kind, ${alias}.chain, ${alias}.platform, ${alias}.region, ${alias}.action,
      pg_catalog.to_char(${alias}.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), ${alias}.source_chain,
      ${alias}.source_platform, ${alias}.source_region, ${alias}.source_ledger, ${alias}.source_seq::text, ${alias}."values",
      ${alias}.strength, ${alias}.reads)`;
}
