import type { ClientBase } from "pg";

/** How many entries of each index of entries this transaction has read, and how many rows without an index, by name. */
export async function indexReads(client: ClientBase): Promise<ReadonlyMap<string, number>> {
  const { rows } = await client.query<{ name: string; read: number }>(
    `SELECT coalesce(p.inhparent::regclass::text, 'an index of its own') AS name,
            sum(pg_stat_get_xact_tuples_returned(x.indexrelid))::int AS read
       FROM pg_index x JOIN pg_inherits t ON t.inhrelid = x.indrelid AND t.inhparent = 'oc_audit_log'::regclass
       LEFT JOIN pg_inherits p ON p.inhrelid = x.indexrelid GROUP BY 1
      UNION ALL
     SELECT 'no index', sum(pg_stat_get_xact_tuples_returned(t.inhrelid) - pg_stat_get_xact_tuples_fetched(t.inhrelid))::int
       FROM pg_inherits t WHERE t.inhparent = 'oc_audit_log'::regclass`,
  );
  return new Map(rows.map(({ name, read }) => [name, read]));
}
