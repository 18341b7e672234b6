import type pg from "pg";
import { median } from "../load.ts";

/**
 * Where a verification's time goes: statements that do ever more of what it does, over the same rows, on one connection.
 * What one takes more than the one before it is what the addition costs.
 */
const ROWS = `
  FROM (SELECT l.*, p.payload, convert_to(l.entry, 'UTF8') AS bytes FROM public.oc_audit_log l
          LEFT JOIN public.oc_audit_payload p ON p.ledger = $1 AND p.seq = l.seq AND p.seq BETWEEN $2 AND $3
         WHERE l.ledger = $1 AND l.seq BETWEEN $2 AND $3 OFFSET 0) e`;
const MEMBERS =
  "FROM (SELECT x.key, x.value, convert_to(x.value, 'UTF8') AS bytes FROM json_each_text(e.payload) x OFFSET 0) v";
const HASHED = "e.hash = sha256(e.bytes)";
const PARSED = "e.entry::jsonb IS NOT NULL";
const SAMPLES: readonly (readonly [what: string, condition: string])[] = [
  ["reading entries and payloads", "true"],
  ["SHA-256 of the entry", HASHED],
  ["reading the entry's JSON", `${HASHED} AND ${PARSED}`],
  [
    "reading the payload's JSON",
    `${HASHED} AND ${PARSED} AND (e.payload IS NULL OR (SELECT bool_and(v.key IS NOT NULL) ${MEMBERS}))`,
  ],
  [
    "SHA-256 of each erasable value",
    `${HASHED} AND ${PARSED} AND (e.payload IS NULL OR (SELECT bool_and(sha256('\\x00'::bytea || decode(substr(v.value, 10, 32), 'hex')
       || substring(v.bytes FROM 52 FOR octet_length(v.bytes) - 52)) IS NOT NULL) ${MEMBERS}))`,
  ],
];

/** Microseconds an entry, step by step; `whole` is what the complete statement takes, by the same clock. */
export async function profile(
  pool: pg.Pool,
  ledger: string,
  to: bigint,
  whole: { readonly sql: string; readonly settings: string },
): Promise<readonly (readonly [what: string, microseconds: number])[]> {
  const client = await pool.connect();
  try {
    await client.query(`BEGIN READ ONLY;${whole.settings}`);
    const statements: readonly (readonly [string, string])[] = [
      ...SAMPLES.map(([what, condition]) => [what, `SELECT count(*) FILTER (WHERE ${condition}) ${ROWS}`] as const),
      ["comparing: columns, links, commitments", whole.sql],
    ];
    const values = [ledger, "1", String(to)];
    const times = statements.map((): number[] => []);
    for (let round = 0; round < 7; round++) {
      for (const [at, [, sql]] of statements.entries()) {
        const started = performance.now();
        await client.query(sql, values);
        times[at]?.push(((performance.now() - started) * 1000) / Number(to));
      }
    }
    const totals = times.map(median);
    return statements.map(([what], at) => [what, (totals[at] ?? 0) - (totals[at - 1] ?? 0)] as const);
  } finally {
    await client.query("ROLLBACK");
    client.release();
  }
}
