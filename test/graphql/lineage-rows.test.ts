import { randomUUID } from "node:crypto";
import { Pool } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";
import { act, type Proposed, propose, READ, WRITE } from "./steps.ts";

/** Rows of edges: made of what entries say, with the entry, by nobody else. */

let database: TestDatabase;
let api: Api;
let pool: Pool;
let read: Proposed;
let write: Proposed;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl);
  pool = new Pool({ connectionString: database.superuserUrl, max: 3 });
  const conversationId = randomUUID();
  read = await propose(api, { ...READ, conversationId });
  await act(api, "redeemGrant", { token: read.grant?.token, digest: read.action.digest }, "agent");
  const result = { contacts: [{ name: "Amelia Ahmed", email: "amelia@example.com", phone: "+49 30 901820" }] };
  await act(api, "completeAction", { actionId: read.action.id, outcome: "SUCCEEDED", result }, "agent");
  const rows = [["AMELIA AHMED", "amelia@example.com", "+4930901820"]];
  write = await propose(api, { ...WRITE, arguments: { rows }, conversationId });
});
afterAll(async () => {
  await api?.close();
  await pool?.end();
  await database?.drop();
});

/** What verification finds after a superuser without triggers ran `sql`, which is undone afterwards by `undo`. */
async function after(sql: string, undo: string) {
  const run = (text: string) =>
    withClient(database.superuserUrl, (client) =>
      client.query(`BEGIN; SET LOCAL countersign.migration = 'on'; ALTER TABLE oc_lineage_edge DISABLE TRIGGER USER; ${text};
                    SELECT oc_always('oc_lineage_edge'); COMMIT`),
    );
  await run(sql);
  const { problems } = await verifyLedger(pool, "acme/eu", { guards: false });
  await run(undo);
  return problems.map(({ verdict, seq, detail }) => `${verdict} ${seq}: ${detail}`);
}

it("has a row for each edge of a write, with what its entry says", async () => {
  const { rows } = await pool.query(
    `SELECT n, kind, chain, platform, region, source_chain, source_platform, source_region, source_ledger, source_seq, "values", strength,
            reads, action FROM oc_lineage_edge WHERE ledger = 'acme/eu' AND seq = $1 ORDER BY n`,
    [write.entry.seq],
  );
  const both = {
    chain: write.action.chainHash,
    platform: "reservations",
    source_chain: read.action.chainHash,
    source_platform: "crm",
    source_ledger: "acme/eu",
    source_seq: read.entry.seq,
    action: write.action.uuid,
  };
  expect(rows).toMatchObject([
    { n: 1, kind: "OBSERVED", ...both, values: 3, strength: expect.any(Number), reads: null },
    { n: 2, kind: "POSSIBLE", ...both, values: null, strength: null, reads: 1 },
  ]);
  const { rows: all } = await pool.query("SELECT count(*)::integer AS count FROM oc_lineage_edge");
  expect(all).toEqual([{ count: 2 }]);
});

it("lets nobody write, change or remove a row, its owner and superusers included", async () => {
  const statements = [
    `INSERT INTO oc_lineage_edge SELECT ledger, seq, 3::smallint, kind, chain, platform, region, source_chain, source_platform, source_region,
       source_ledger, source_seq, "values", strength, reads, recorded_at, action FROM oc_lineage_edge LIMIT 1`,
    "UPDATE oc_lineage_edge SET kind = 'POSSIBLE' WHERE n = 1",
    "DELETE FROM oc_lineage_edge",
    "TRUNCATE oc_lineage_edge",
  ];
  for (const sql of statements) {
    for (const role of ["SET session_replication_role = replica", "SET ROLE oc_owner", "SET ROLE oc_app"]) {
      const refused = withClient(database.superuserUrl, (client) => client.query(`${role}; ${sql}`));
      await expect(refused, `${role}: ${sql}`).rejects.toThrow(/grows with entries alone|permission denied/);
    }
  }
});

it("finds rows that were changed, left out, added or put behind the end", async () => {
  expect(await after("SELECT", "SELECT")).toEqual([]);
  const at = `STATE_MISMATCH ${write.entry.seq}: oc_lineage_edge`;
  const kept = "CREATE TABLE kept AS SELECT * FROM oc_lineage_edge";
  const putBack = "DELETE FROM oc_lineage_edge; INSERT INTO oc_lineage_edge SELECT * FROM kept; DROP TABLE kept";
  const copyOf = (seq: string) =>
    `INSERT INTO oc_lineage_edge SELECT ledger, ${seq}, 7::smallint, kind, chain, platform, region, source_chain, source_platform,
       source_region, source_ledger, source_seq, "values", strength, reads, recorded_at, action FROM oc_lineage_edge WHERE n = 1`;
  for (const change of [
    "kind = 'POSSIBLE'",
    `chain = '${randomUUID()}'`,
    `source_chain = '${randomUUID()}'`,
    "source_platform = 'web'",
    "region = 'elsewhere'",
    "source_seq = 1",
    "source_ledger = 'acme/us'",
    "strength = 9999",
    "recorded_at = recorded_at + interval '1 microsecond'",
    `action = '${randomUUID()}'`,
  ]) {
    const found = await after(`${kept}; UPDATE oc_lineage_edge SET ${change} WHERE n = 1`, putBack);
    expect(found, change).toEqual([`${at}: row 1 of this entry is not the edge that it records`]);
  }
  expect(await after(`${kept}; DELETE FROM oc_lineage_edge`, putBack)).toEqual([
    `${at} has 0 rows of this entry, which records 2 edges`,
  ]);
  expect(await after(`${kept}; ${copyOf("seq")}`, putBack)).toEqual([
    `${at} has 3 rows of this entry, which records 2 edges`,
  ]);
  expect(await after(`${kept}; ${copyOf("2")}`, putBack)).toEqual([
    "STATE_MISMATCH 2: oc_lineage_edge has 1 rows of this entry, which records 0 edges",
  ]);
  for (const seq of ["0", "-7"]) {
    expect(await after(`${kept}; ${copyOf(seq)}`, putBack)).toEqual([
      `STATE_MISMATCH undefined: oc_lineage_edge has rows of an entry ${seq}, which there cannot be. Restore its rows from a backup, or make them anew from the entries`,
    ]);
  }
  const [beyond] = await after(`${kept}; ${copyOf("1000")}`, putBack);
  expect(beyond).toMatch(/^TRUNCATED .*rows belong to entries up to 1000/);
  expect(await after("SELECT", "SELECT")).toEqual([]);
});
