import { Client, type Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createListener } from "../../src/db/listen.ts";
import { migrate } from "../../src/db/migrate.ts";
import { createPool } from "../../src/db/pool.ts";
import { startReaderLimits } from "../../src/jobs/reader-limits.ts";
import { CHANNEL, createAnnouncer } from "../../src/ledger/announce.ts";
import { appendActions, createLedger } from "../ledger/verify.fixture.ts";
import { recordingLog, silent } from "../support/log.ts";
import { createEmptyDatabase, type TestDatabase, withClient } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";

let database: TestDatabase;
let superuser: Client;
let pool: Pool;
const login = (name: string) => `${name}_${database.name}`;
const PASSWORD = "of a reader";

// What PostgreSQL grants on a database is not copied with it, so this one is migrated itself.
beforeAll(async () => {
  database = await createEmptyDatabase();
  await migrate({ connectionString: database.superuserUrl, log: silent });
  superuser = new Client({ connectionString: database.superuserUrl });
  await superuser.connect();
  pool = createPool({ connectionString: database.appUrl, max: 2, applicationName: "test", log: silent });
  for (const ledger of ["acme/eu", "globex/eu"]) await createLedger(superuser, ledger);
  await appendActions(superuser, "acme/eu", 0, 4);
  await appendActions(superuser, "globex/eu", 100, 102);
  for (const [name, role] of Object.entries({ analyst: "oc_bi", auditor: "oc_auditor", patient: "oc_bi" })) {
    await superuser.query(`CREATE ROLE ${login(name)} LOGIN PASSWORD '${PASSWORD}' IN ROLE ${role}`);
  }
  await superuser.query(`INSERT INTO oc_bi_access VALUES ('${login("analyst")}', 'acme')`);
});

afterAll(async () => {
  await pool.end();
  await superuser.query(`DROP ROLE ${["analyst", "auditor", "patient"].map(login).join(", ")}`);
  await superuser.end();
  await database.drop();
});

function urlOf(name: string): string {
  const url = new URL(database.superuserUrl);
  url.username = login(name);
  url.password = PASSWORD;
  return url.href;
}

describe.each(["analyst", "auditor"])("a login that only reads (%s)", (name) => {
  it.each([
    "CREATE TEMPORARY TABLE mine (one text)",
    "CREATE TEMPORARY VIEW mine AS SELECT 1 AS one",
    "CREATE TABLE public.mine (one text)",
    "CREATE SCHEMA mine",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT pg_notify('oc_ledger', 'globex/eu 1')",
    "SELECT pg_advisory_lock(7311423501932204)",
    "SELECT pg_try_advisory_lock_shared(1)",
    "SELECT pg_total_relation_size('oc_audit_log_default')",
    "SELECT pg_database_size(current_database())",
    "SELECT n_live_tup FROM pg_stat_all_tables",
    "SELECT idx_scan FROM pg_stat_all_indexes",
    "SELECT tup_inserted FROM pg_stat_database",
    "SELECT channel FROM oc_work.announcement_channel",
    "SELECT * FROM oc_guard.limit_readers(1, 1, 1)",
    "SELECT * FROM pg_statistic",
    "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1",
    "ALTER ROLE CURRENT_USER NOINHERIT CREATEDB",
  ])("cannot: %s", async (sql) => {
    await withClient(urlOf(name), async (client) => {
      await expect(client.query(sql)).rejects.toMatchObject({ code: "42501" });
    });
  });

  it("sees no statistics of the ledger's columns", async () => {
    await superuser.query("ANALYZE");
    const { rows } = await withClient(urlOf("analyst"), (client) =>
      client.query("SELECT tablename FROM pg_stats WHERE schemaname = 'public' AND tablename LIKE 'oc_%'"),
    );
    expect(rows).toEqual([]);
  });

  it("hears nothing of what servers tell each other, and is not heard by them", async () => {
    const heard: string[] = [];
    const overheard: string[] = [];
    const onNotify = (payload: string) => heard.push(payload);
    const listener = createListener({
      connectionString: database.appUrl,
      channel: CHANNEL,
      log: silent,
      onNotify,
      onReconnect() {},
    });
    await listener.start();
    try {
      await withClient(urlOf(name), async (client) => {
        client.on("notification", ({ channel, payload }) => overheard.push(`${channel} ${payload}`));
        await client.query("LISTEN oc_ledger; LISTEN announcement_channel; LISTEN oc_work");
        await client.query("NOTIFY oc_ledger, 'globex/eu 99'; NOTIFY announcement_channel, 'globex/eu 98'");
        const announcer = createAnnouncer({ pool });
        announcer.announce("globex/eu", 7n);
        await announcer.drain();
        await waitUntil(() => heard.length > 0);
        await client.query("SELECT 1");
      });
    } finally {
      await listener.stop();
    }
    expect(heard).toEqual(["globex/eu 7"]);
    expect(overheard).toEqual(["oc_ledger globex/eu 99", "announcement_channel globex/eu 98"]);
  });
});

describe("a tool for reports", () => {
  // What drivers ask before they show a table: JDBC, ODBC, and information_schema.
  it.each([
    `SELECT n.nspname, c.relname, c.relkind FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
      WHERE c.relname = 'oc_report_entries'`,
    `SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attribute a
       LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      WHERE a.attrelid = 'oc_report_daily'::regclass AND a.attnum > 0`,
    "SELECT * FROM information_schema.columns WHERE table_name = 'oc_report_actions'",
    "SELECT * FROM information_schema.tables WHERE table_name LIKE 'oc_report%'",
    "SELECT c.*, ci.reltuples, ci.relpages FROM pg_catalog.pg_class c JOIN pg_catalog.pg_class ci ON ci.oid = c.oid LIMIT 1",
    "SELECT pid, usename FROM pg_stat_activity",
    "SELECT pg_get_viewdef('oc_report_lineage'::regclass)",
    "SELECT day, sum(entries) FROM oc_report_daily GROUP BY day",
  ])("finds its way: %s", async (sql) => {
    const { rows } = await withClient(urlOf("analyst"), (client) => client.query(sql));
    expect(rows.length).toBeGreaterThan(0);
  });
});

const VIEWS = ["oc_report_entries", "oc_report_actions", "oc_report_lineage", "oc_report_daily"];
const QUERIES = [
  ...VIEWS.map((view) => `SELECT * FROM ${view}`),
  "SELECT * FROM oc_report_entries WHERE organization = 'globex'",
  "SELECT * FROM oc_report_entries WHERE type = 'ACTION_PROPOSED'",
  "SELECT * FROM oc_report_entries WHERE platform = 'crm' AND seq > 10",
  "SELECT * FROM oc_report_entries WHERE recorded_at > now() - interval '1 hour'",
  "SELECT count(*) FROM oc_report_actions WHERE status = 'SUCCEEDED' GROUP BY tool",
  "SELECT * FROM oc_report_entries_between('2020-01-01')",
  "SELECT * FROM oc_report_entries e JOIN oc_report_actions a ON a.action_id = e.action_id::text",
];

describe("a plan", () => {
  const plans = () =>
    withClient(urlOf("analyst"), async (client) => {
      const found: string[] = [];
      for (const sql of QUERIES) {
        const { rows } = await client.query<{ "QUERY PLAN": string }>(`EXPLAIN ${sql}`);
        found.push(rows.map((row) => row["QUERY PLAN"]).join("\n"));
      }
      return found;
    });

  /** Pages that each query reads, with what it needs of the catalog in memory. */
  const pages = () =>
    withClient(urlOf("analyst"), async (client) => {
      const found: number[] = [];
      for (const view of VIEWS) {
        const explain = `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM ${view}`;
        await client.query(explain);
        const { rows } = await client.query<{
          "QUERY PLAN": [{ Plan: { "Shared Hit Blocks": number; "Shared Read Blocks": number } }];
        }>(explain);
        const { Plan: plan } = rows[0]!["QUERY PLAN"][0];
        found.push(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]);
      }
      return found;
    });

  it("is the same, and reads as many pages, whatever another organization has recorded", async () => {
    await superuser.query("ANALYZE");
    const [before, pagesBefore] = [await plans(), await pages()];
    await appendActions(superuser, "globex/eu", 200, 500);
    await superuser.query("ANALYZE");
    expect(await plans()).toEqual(before);
    // An index may have become a page deeper; the entries that were added are in hundreds of pages.
    for (const [at, count] of (await pages()).entries()) expect(count, VIEWS[at]).toBeLessThan(pagesBefore[at]! + 100);
  });

  it("names no table of the ledger, and the policies stand behind the functions", async () => {
    for (const plan of await plans()) expect(plan).not.toMatch(/oc_audit_log|oc_state|oc_ledger_head/);
    const { rows } = await withClient(urlOf("analyst"), (client) =>
      client.query(
        "SELECT DISTINCT organization FROM oc_report_entries_between() UNION SELECT organization FROM oc_report_daily",
      ),
    );
    expect(rows).toEqual([{ organization: "acme" }]);
  });

  it("of a table of the ledger is refused", async () => {
    await withClient(urlOf("analyst"), async (client) => {
      await expect(client.query("EXPLAIN SELECT * FROM oc_audit_log")).rejects.toMatchObject({ code: "42501" });
    });
  });

  it("is of the entries of the time that is asked for", async () => {
    await withClient(urlOf("analyst"), async (client) => {
      const count = async (from: string, sql: string) =>
        Number((await client.query(`SELECT count(*) AS n FROM ${from} ${sql}`)).rows[0].n);
      const all = await count("oc_report_entries", "");
      expect(all).toBeGreaterThan(20);
      for (const what of ["entries", "actions", "lineage", "daily"]) {
        expect(await count(`oc_report_${what}_between('2020-01-01', 'infinity')`, "")).toBe(
          await count(`oc_report_${what}`, ""),
        );
        expect(await count(`oc_report_${what}_between('-infinity', '2020-01-01')`, "")).toBe(0);
      }
    });
  });
});

describe("limits of readers", () => {
  const limits = { report: 1, audit: 3_600, connections: 2 };

  it("end what takes too long, whatever the session has set, and nothing else", async () => {
    const log = recordingLog();
    const sessions: Client[] = [];
    const open = async (name: string) => {
      const client = new Client({ connectionString: name === "app" ? database.appUrl : urlOf(name) });
      client.on("error", () => undefined);
      await client.connect();
      sessions.push(client);
      return client;
    };
    const [busy, idle, auditor, app] = [
      await open("analyst"),
      await open("analyst"),
      await open("auditor"),
      await open("app"),
    ];
    const quiet = await open("patient");
    await app.query("SET ROLE oc_app");
    for (const client of [busy, idle]) {
      await client.query(
        "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET transaction_timeout = 0",
      );
    }
    await idle.query("BEGIN");
    for (const client of [auditor, app]) await client.query("BEGIN");
    const running = busy.query("SELECT pg_sleep(600)").then(
      () => "done",
      (error: { code?: string }) => error.code,
    );
    const job = startReaderLimits({ pool, limits, log });
    try {
      expect(await running).toBe("57P01");
      await waitUntil(() => log.messages.filter((message) => message.includes("took too long")).length >= 2);
      await expect(idle.query("SELECT 1")).rejects.toThrow();
      for (const client of [auditor, app, quiet]) await client.query("SELECT 1");
    } finally {
      await job.stop();
      for (const client of sessions) await client.end().catch(() => undefined);
    }
  });

  it("are on connections, too, unless the operator gave the login a number", async () => {
    await superuser.query(`ALTER ROLE ${login("patient")} CONNECTION LIMIT 3`);
    await superuser.query("SELECT * FROM oc_guard.limit_readers(3600, 3600, 2)");
    const { rows } = await superuser.query(
      "SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname = ANY ($1) ORDER BY 1",
      [["analyst", "auditor", "patient"].map(login)],
    );
    expect(rows.map(({ rolconnlimit }) => rolconnlimit)).toEqual([2, 2, 3]);
    const held = await Promise.all(
      [1, 2].map(async () => {
        const client = new Client({ connectionString: urlOf("analyst") });
        await client.connect();
        return client;
      }),
    );
    await expect(withClient(urlOf("analyst"), (client) => client.query("SELECT 1"))).rejects.toMatchObject({
      code: "53300",
    });
    for (const client of held) await client.end();
  });

  it("are kept by several servers at the same time", async () => {
    const both = [1, 2, 3, 4].map(() =>
      withClient(database.superuserUrl, (client) =>
        client.query("SELECT * FROM oc_guard.limit_readers(3600, 3600, 5)"),
      ),
    );
    await superuser.query(`ALTER ROLE ${login("analyst")} CONNECTION LIMIT -1`);
    await Promise.all(both);
  });
});
