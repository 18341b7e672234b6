import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { appendActions, createLedger } from "./verify.fixture.ts";

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
      latency_ms: 1234,
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
    "DELETE FROM oc_report_entries",
  ])("are all there is: %s is refused", async (sql) => {
    await expect(as("analyst", sql)).rejects.toMatchObject({ code: "42501" });
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

describe("row-level security", () => {
  it.each(["oc_app", "oc_auditor"])("leaves %s unhindered", async (role) => {
    await client.query(`BEGIN; SET LOCAL ROLE ${role}`);
    const { rows } = await client.query<{ n: string }>("SELECT count(*) AS n FROM oc_audit_log");
    await client.query("ROLLBACK");
    expect(rows).toEqual([{ n: String(41 + 6 + 16) }]);
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
