import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { appendActions, createLedger, uuid } from "./verify.fixture.ts";

let database: TestDatabase;
let client: Client;
const login = (name: string) => `${name}_${database.name}`;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client({ connectionString: database.superuserUrl });
  await client.connect();
  for (const ledger of ["acme/eu", "acme/us", "globex/eu"]) await createLedger(client, ledger);
  await appendActions(client, "acme/eu", 0, 8);
  await appendActions(client, "acme/us", 100, 101);
  await appendActions(client, "globex/eu", 200, 203);
  await client.query(`
    CREATE ROLE ${login("analyst")} LOGIN IN ROLE oc_bi; CREATE ROLE ${login("newcomer")} LOGIN IN ROLE oc_bi;
    INSERT INTO oc_bi_access VALUES ('${login("analyst")}', 'acme')`);
});

afterAll(async () => {
  await client.query(`DROP ROLE ${login("analyst")}, ${login("newcomer")}`);
  await client.end();
  await database.drop();
});

/** Runs `sql` as a login of its own would. */
async function as<Row>(name: string, sql: string): Promise<Row[]> {
  await client.query(`SET SESSION AUTHORIZATION ${login(name)}`);
  try {
    return (await client.query(sql)).rows as Row[];
  } finally {
    await client.query("RESET ROLE; RESET SESSION AUTHORIZATION");
  }
}

describe("the reporting views", () => {
  it("show a login the organizations it was given", async () => {
    const views = ["oc_report_entries", "oc_report_actions", "oc_report_lineage", "oc_report_daily"];
    for (const view of views) {
      const organizations = await as<{ organization: string }>("analyst", `SELECT DISTINCT organization FROM ${view}`);
      expect(organizations, view).toEqual([{ organization: "acme" }]);
      expect(await as("newcomer", `SELECT * FROM ${view}`), view).toEqual([]);
    }
    const [count] = await as<{ n: string }>("analyst", "SELECT count(*) AS n FROM oc_report_entries");
    expect(count).toEqual({ n: String(41 + 6) });
  });

  it("say who did what where, and how long it took", async () => {
    const [completed] = await as(
      "analyst",
      "SELECT * FROM oc_report_entries WHERE region = 'us' AND type = 'ACTION_COMPLETED'",
    );
    expect(completed).toMatchObject({
      organization: "acme",
      actor_kind: "AGENT",
      client: "claude-code",
      platform: "reservations",
      effect: "WRITE",
      latency_ms: "1234",
    });
    const [action] = await as("analyst", "SELECT * FROM oc_report_actions WHERE region = 'us'");
    expect(action).toMatchObject({ status: "SUCCEEDED", approvals: 1, tool: "book_reservation" });
    const [edge] = await as("analyst", "SELECT * FROM oc_report_lineage WHERE region = 'eu' ORDER BY seq LIMIT 1");
    expect(edge).toMatchObject({ source_platform: "crm", platform: "reservations" });
    const daily = await as<{ entries: string }>(
      "analyst",
      "SELECT entries FROM oc_report_daily WHERE region = 'us' AND type = 'LEDGER_CREATED'",
    );
    expect(daily).toEqual([{ entries: "1" }]);
  });

  it("follow the login, whatever role it takes on", async () => {
    await client.query(`SET SESSION AUTHORIZATION ${login("newcomer")}; SET ROLE oc_bi`);
    const { rows } = await client.query("SELECT * FROM oc_report_entries");
    await client.query("RESET ROLE; RESET SESSION AUTHORIZATION");
    expect(rows).toEqual([]);
  });

  it.each([
    "SELECT * FROM oc_audit_payload",
    "SELECT * FROM oc_audit_log",
    "SELECT * FROM oc_audit_log_default",
    "SELECT * FROM oc_action",
    "SELECT * FROM oc_bi_access",
    "INSERT INTO oc_bi_access VALUES ('me', 'globex')",
    "SET ROLE oc_reporting",
    "SET ROLE oc_app",
    "SELECT oc_ledger_append('acme/eu', '')",
    "DELETE FROM oc_audit_log",
  ])("are all there is: %s is refused", async (sql) => {
    await expect(as("analyst", sql)).rejects.toMatchObject({ code: "42501" });
  });

  it("take no changes", async () => {
    await expect(as("analyst", "DELETE FROM oc_report_entries")).rejects.toMatchObject({ code: "55000" });
  });

  it("do not let a leaky function see another organization's rows", async () => {
    await client.query(
      "CREATE FUNCTION leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS 'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END'",
    );
    const seen: (string | undefined)[] = [];
    const listen = ({ message }: { message?: string | undefined }) => seen.push(message);
    client.on("notice", listen);
    await as("analyst", "SELECT organization FROM oc_report_entries WHERE leak(organization)");
    client.off("notice", listen);
    await client.query("DROP FUNCTION leak(text)");
    expect(new Set(seen)).toEqual(new Set(["acme"]));
  });
});

describe("no view fails because of one entry", () => {
  const LEDGER = "odd/eu";
  const action = uuid("odd", 0);

  beforeAll(async () => {
    await createLedger(client, LEDGER);
    const append = (body: UnsealedObject) =>
      client.query("SELECT oc_ledger_append($1, $2)", [LEDGER, seal({ id: randomUUID(), ...body }).body]);
    const completed = { actor: { id: "agent", kind: "AGENT" }, type: "ACTION_COMPLETED" };
    for (const latencyMs of [
      2_592_000_000,
      -1,
      "soon",
      "1.5",
      [1],
      { a: 1 },
      null,
      true,
      "1e400",
      "9223372036854775808",
    ]) {
      await append({ ...completed, latencyMs });
    }
    for (const body of [{ client: "none" }, { policy: [] }, { reason: { deep: true } }, { actor: "nobody" }]) {
      await append({ ...completed, ...body });
    }
    const states = [
      { approvals: 99_999_999_999 },
      { approvals: "many", grant: { id: "no uuid", hash: "zz", expiresAt: "never" } },
      { approvals: [], grant: { id: 7, hash: "abc", expiresAt: {} } },
      { grant: "none" },
    ];
    for (const [at, state] of states.entries()) {
      const id = uuid("odd", at);
      await append({
        action: id,
        actor: { id: "agent", kind: "AGENT" },
        states: [{ id, kind: "ACTION", state: { status: "PENDING", ...state }, version: 1 }],
        type: "ACTION_PROPOSED",
      });
    }
    // The functions take no body that is no jsonb; the owner may insert any text that extends the chain.
    for (const value of ['"\\u0000"', "1e999999"]) {
      await client.query(
        `WITH head AS (SELECT * FROM oc_audit_log WHERE ledger = $1 ORDER BY seq DESC LIMIT 1), next AS (
           SELECT ledger, seq + 1 AS seq, recorded_at, hash AS prev_hash,
                  oc_entry_text('{"latencyMs":' || $2::text || ',"type":"ODD"}', ',"ledger":"' || ledger || '","prevHash":"', hash,
                    '","recordedAt":"' || to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","seq":"',
                    seq + 1) AS entry
             FROM head)
         INSERT INTO oc_audit_log (ledger, seq, recorded_at, entry, hash, prev_hash, id, type)
         SELECT ledger, seq, recorded_at, entry, sha256(convert_to(entry, 'UTF8')), prev_hash, gen_random_uuid(), 'ODD' FROM next`,
        [LEDGER, value],
      );
    }
    await client.query(`INSERT INTO oc_bi_access VALUES ('${login("analyst")}', 'odd')`);
  });
  afterAll(() => client.query("DELETE FROM oc_bi_access WHERE organization = 'odd'"));

  it.each(["oc_report_entries", "oc_report_actions", "oc_report_lineage", "oc_report_daily"])("%s", async (view) => {
    await expect(as("analyst", `SELECT * FROM ${view} WHERE organization = 'odd'`)).resolves.toBeDefined();
  });

  it("the duration of a call may exceed 32 bits, and is null when it is not a whole number", async () => {
    const rows = await as<{ latency_ms: string | null }>(
      "analyst",
      "SELECT latency_ms FROM oc_report_entries WHERE organization = 'odd' AND type IN ('ACTION_COMPLETED', 'ODD') ORDER BY seq",
    );
    const [long, negative, ...others] = rows.map((row) => row.latency_ms);
    expect([long, negative]).toEqual(["2592000000", "-1"]);
    expect(others).toHaveLength(14);
    expect(new Set(others)).toEqual(new Set([null]));
  });

  it("oc_action has 0 approvals and no grant when an entry has other types there", async () => {
    await client.query("BEGIN; SET LOCAL ROLE oc_app");
    const { rows } = await client.query(
      "SELECT approvals, grant_id, grant_hash, grant_expires_at FROM oc_action WHERE ledger = $1 ORDER BY id",
      [LEDGER],
    );
    await client.query("ROLLBACK");
    expect(rows).toEqual(Array(4).fill({ approvals: 0, grant_id: null, grant_hash: null, grant_expires_at: null }));
    const [reported] = await as("analyst", `SELECT approvals FROM oc_report_actions WHERE action_id = '${action}'`);
    expect(reported).toEqual({ approvals: null });
  });
});

describe("row-level security", () => {
  it.each(["oc_app", "oc_auditor"])("leaves %s unhindered", async (role) => {
    await client.query(`BEGIN; SET LOCAL ROLE ${role}`);
    const { rows } = await client.query<{ n: string }>("SELECT count(*) AS n FROM oc_audit_log");
    await client.query("ROLLBACK");
    expect(rows).toEqual([{ n: String(41 + 6 + 16 + 21) }]);
  });

  it("does not bind the owner, who appends", async () => {
    const { rows } = await client.query("SELECT relname FROM pg_class WHERE relforcerowsecurity");
    expect(rows).toEqual([]);
  });

  it("hides everything from a role that was given a table by mistake", async () => {
    await client.query(`BEGIN; GRANT SELECT ON oc_audit_log TO ${login("newcomer")}`);
    await client.query(`SET LOCAL ROLE ${login("newcomer")}`);
    const { rows } = await client.query("SELECT * FROM oc_audit_log");
    await client.query("ROLLBACK");
    expect(rows).toEqual([]);
  });
});
