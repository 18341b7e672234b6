import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openScene, type Scene } from "../../ledger/scene.ts";
import { indexReads } from "../../support/index-reads.ts";

const LEDGER = "many/eu";
const MANY = 6_000;
let scene: Scene;
let client: Client;

// Reads of two agents on three platforms, some of them forbidden, some long ago, and writes in between.
const ENTRIES = `
  INSERT INTO oc_audit_log (ledger, seq, recorded_at, entry, hash, prev_hash, id, type, actor_id, on_behalf_of_id, platform, tool, effect)
  SELECT '${LEDGER}', n, at, entry, sha256(convert_to(entry, 'UTF8')), prev, gen_random_uuid(), 'ACTION_PROPOSED', 'agent' || n % 2,
         CASE WHEN n % 4 < 2 THEN 'person' END, (ARRAY['crm', 'mail', 'sheets'])[1 + n % 3], 'tool', CASE WHEN n % 5 = 0 THEN 'WRITE' ELSE 'READ' END
    FROM (SELECT x.*, '{"body":{"status":"' || CASE WHEN n > ${MANY} - 9 THEN 'BLOCKED' ELSE 'ALLOWED' END
                   || '"},"ledger":"${LEDGER}","prevHash":"' || encode(prev, 'hex')
                   || '","recordedAt":"2026-01-01T00:00:00.000000Z","seq":"' || n || '","v":1}' AS entry
            FROM (SELECT n, now() - (${MANY} - n) * interval '1 minute' AS at, sha256(n::text::bytea) AS prev
                    FROM generate_series(2, ${MANY}) n) x) y`;

const UNGUARDED = `
  SET LOCAL countersign.migration = 'on';
  DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT 'oc_audit_log'::regclass UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = 'oc_audit_log'::regclass LOOP
      EXECUTE format('ALTER TABLE ONLY %s DISABLE TRIGGER USER', t);
    END LOOP;
  END $$`;

const LATEST = "SELECT seq FROM oc_latest_reads($1, $2, $3, clock_timestamp() - make_interval(hours => $4)) AS r(seq)";

beforeAll(async () => {
  scene = await openScene();
  await scene.ledgers.ensure(LEDGER);
  client = new Client({ connectionString: scene.database.superuserUrl });
  await client.connect();
  // Plans are made when there is next to nothing.
  for (let n = 0; n < 6; n += 1) await client.query(LATEST, [LEDGER, "agent1", "person", 12]);
  await client.query(`BEGIN; ${UNGUARDED}; ${ENTRIES}; COMMIT`);
});
afterAll(async () => {
  await client?.end();
  await scene?.close();
});

const reads = (hours: number, actor = "agent1", person = "person") =>
  client.query<{ seq: string }>(LATEST, [LEDGER, actor, person, hours]).then(({ rows }) => rows.map(({ seq }) => seq));

describe("the latest reads of a caller", () => {
  it.each([
    ["agent1", "person", "n % 2 = 1 AND n % 4 < 2"],
    ["agent0", "", "n % 2 = 0 AND n % 4 >= 2"],
    ["agent0", "person", "n % 2 = 0 AND n % 4 < 2"],
    ["nobody", "", "false"],
  ])("are, of %s for '%s', one for each platform that was not forbidden", async (actor, person, condition) => {
    const { rows } = await client.query<{ seq: string }>(
      `SELECT max(n)::text AS seq FROM generate_series(2, ${MANY} - 9) n WHERE n % 5 <> 0 AND ${condition} GROUP BY n % 3`,
    );
    expect((await reads(12, actor, person)).sort()).toEqual(rows.map(({ seq }) => seq).sort());
  });

  it("are none when they are too long ago", async () => {
    expect(await reads(0)).toEqual([]);
  });

  it("are found by reading a few entries of one index, however many there are", async () => {
    await client.query("BEGIN");
    await reads(12);
    const read = await indexReads(client);
    await client.query("ROLLBACK");
    expect(read.get("no index") ?? 0).toBe(0);
    expect([...read].filter(([name, count]) => count > 0 && name !== "no index").map(([name]) => name)).toEqual([
      "oc_audit_log_reads",
    ]);
    expect(read.get("oc_audit_log_reads")).toBeLessThan(40);
  });
});

describe("what a caller read, and completed, since a position", () => {
  const RECENT = `SELECT seq FROM oc_recent_reads($1, $2, $3, clock_timestamp() - make_interval(hours => $4), $5, $6) AS r(seq)`;
  const recent = (hours: number, after: number, limit: number, actor = "agent1", person = "person") =>
    client
      .query<{ seq: string }>(RECENT, [LEDGER, actor, person, hours, after, limit])
      .then(({ rows }) => rows.map(({ seq }) => Number(seq)));

  it("is the latest of it that was not forbidden, in the time there is", async () => {
    const own = Array.from({ length: MANY - 10 }, (_, at) => at + 2)
      .filter((n) => n % 5 !== 0 && n % 2 === 1 && n % 4 < 2)
      .reverse();
    expect(await recent(200, 0, 7)).toEqual(own.slice(0, 7));
    expect(await recent(200, MANY - 60, 1_000)).toEqual(own.filter((n) => n > MANY - 60));
    expect(await recent(1, 0, 1_000)).toEqual(own.filter((n) => n > MANY - 60));
    expect(await recent(0, 0, 1_000)).toEqual([]);
    expect(await recent(200, 0, 1_000, "agent1", "")).toHaveLength(1_000);
    expect(await recent(200, 0, 1_000, "nobody")).toEqual([]);
  });

  it("is found by reading a few entries of one index, however many there are", async () => {
    await client.query("BEGIN");
    // What was read before in this session may not have been counted elsewhere yet.
    const before = await indexReads(client);
    await recent(12, 0, 10);
    const after = await indexReads(client);
    await client.query("ROLLBACK");
    const read = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
    const [only, ...others] = read.filter(([, count]) => count > 0);
    expect(others).toEqual([]);
    expect(only?.[0]).toBe("oc_audit_log_recent_reads");
    expect(only?.[1]).toBeLessThan(40);
  });
});
