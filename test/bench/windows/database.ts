import type { Client } from "pg";
import type { LedgerId } from "../../../src/facts/entry.ts";

export const LEDGER: LedgerId = "bench/eu";
/** Entries of one statement. */
const CHUNK = 50_000;

/**
 * Of ten entries, nine propose, and one denies what was proposed five entries before. Three agents, and two persons for whom they act; a
 * measure with small amounts. Their hashes are not those of a chain: nothing that is measured looks at them.
 */
const ENTRIES = `
  INSERT INTO oc_audit_log (ledger, seq, recorded_at, entry, hash, prev_hash, id, type, actor_id, on_behalf_of_id, action_id,
                            state_version, platform, tool, measures)
  SELECT $1, n, at, entry, sha256(convert_to(entry, 'UTF8')), prev, gen_random_uuid(), type, 'agent' || n % 3,
         'person' || n % 2, md5((CASE WHEN proposes THEN n ELSE n - 5 END)::text)::uuid, CASE WHEN proposes THEN 1 ELSE 2 END, 'vouchers',
         'tool' || n % 5, CASE WHEN proposes THEN oc_measures(entry) END
    FROM (SELECT x.*, CASE WHEN proposes THEN 'ACTION_PROPOSED' ELSE 'ACTION_DENIED' END AS type,
                 '{"body":{"measures":{"amount":"' || n % 7 || '.01"},"rationale":"' || repeat('Because. ', 100) || '"},"ledger":"' || $1 ||
                   '","prevHash":"' || encode(prev, 'hex') || '","recordedAt":"2026-01-01T00:00:00.000000Z","seq":"' || n || '","v":1}' AS entry
            FROM (SELECT n, $2::timestamptz + n * $3::float8 * interval '1 s' AS at, sha256(n::text::bytea) AS prev,
                         n % 10 <> 7 AS proposes
                    FROM generate_series($4::bigint, $5::bigint) n) x) y`;

const triggers = (state: "ENABLE ALWAYS" | "DISABLE") => `
  DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT g.tgrelid::regclass AS of, g.tgname AS name FROM pg_trigger g
                WHERE NOT g.tgisinternal
                  AND (g.tgrelid IN ('oc_audit_log'::regclass, 'oc_ledger_head'::regclass)
                       OR g.tgrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'oc_audit_log'::regclass)) LOOP
      EXECUTE format('ALTER TABLE ONLY %s ${state} TRIGGER %I', one.of, one.name);
    END LOOP;
  END $$`;

/**
 * Puts entries up to position `last` behind the first of LEDGER, recorded evenly over the last hour, or since the month began. As superuser.
 * `advance` is told how many were made.
 */
export async function fill(client: Client, last: number, advance: (made: number) => void): Promise<void> {
  const { rows } = await client.query<{ from: Date; seconds: number }>(
    `SELECT x.start AS "from", extract(epoch FROM clock_timestamp() - x.start)::float8 AS seconds
       FROM (SELECT greatest(date_trunc('month', now(), 'UTC'), now() - interval '1 hour') AS start) x`,
  );
  const [span] = rows;
  await client.query("SET synchronous_commit = off; SET countersign.migration = 'on'");
  await client.query(triggers("DISABLE"));
  for (let from = 2; from <= last; from += CHUNK) {
    const to = Math.min(last, from + CHUNK - 1);
    await client.query(ENTRIES, [LEDGER, span?.from, (span?.seconds ?? 0) / last, from, to]);
    advance(to - from + 1);
  }
  await client.query("UPDATE oc_ledger_head SET seq = $2 WHERE ledger = $1", [LEDGER, last]);
  await client.query(triggers("ENABLE ALWAYS"));
  await client.query("RESET countersign.migration; RESET synchronous_commit");
  await client.query("VACUUM ANALYZE");
}
