import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Client, type Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { migrate } from "../../src/db/migrate.ts";
import { createPool } from "../../src/db/pool.ts";
import { factJwks } from "../../src/domain/identity/fact-keys.ts";
import { guardReport } from "../../src/ledger/verify.ts";
import { countersign } from "../cli/run.ts";
import { FACT_KEYS } from "../support/fact-keys.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { startTestServer, type TestServer, withClient, withDatabase } from "../support/server.ts";
import { waitUntil } from "../support/wait.ts";
import { OF_ACCESS } from "./manipulations-of-access.ts";
import { OF_CODE } from "./manipulations-of-code.ts";
import { OF_TABLES } from "./manipulations-of-tables.ts";
import { appendActions, createLedger } from "./verify.fixture.ts";

/** A server of its own: roles and settings reach all databases of a server, and other tests expect theirs to be guarded. */
const LEDGER = "acme/eu";
const MANIPULATIONS = { ...OF_CODE, ...OF_TABLES, ...OF_ACCESS };
const TEMPLATE = "manipulated";
let server: TestServer;
let keysFile: string;
let directory: string;
const onServer = (sql: string) => withClient(server.url, (client) => client.query(sql));

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "countersign-keys-"));
  keysFile = path.join(directory, "keys.jwks");
  await writeFile(keysFile, JSON.stringify(factJwks(FACT_KEYS)));
  server = await startTestServer();
  await onServer(`CREATE DATABASE ${TEMPLATE} TEMPLATE template0`);
  const url = withDatabase(server.url, TEMPLATE);
  await migrate({ connectionString: url, log: silent });
  await withClient(url, async (client) => {
    await createLedger(client, LEDGER);
    await appendActions(client, LEDGER, 0, 1);
  });
});
afterAll(async () => {
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

interface Copy {
  readonly name: string;
  readonly url: string;
  readonly superuser: Client;
  /** Connections that work as this role. */
  pool(role: "oc_app" | "oc_auditor"): Pool;
}

/** A copy of the database for one test, gone when that ends. */
async function copy(): Promise<Copy> {
  const name = `copy_${randomBytes(6).toString("hex")}`;
  await waitUntil(async () => {
    const busy = "SELECT FROM pg_stat_activity WHERE datname = $1";
    return (await withClient(server.url, (client) => client.query(busy, [TEMPLATE]))).rows.length === 0;
  });
  await onServer(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
  const url = withDatabase(server.url, name);
  const superuser = new Client({ connectionString: url });
  const pools: Pool[] = [];
  await superuser.connect();
  onTestFinished(async () => {
    for (const pool of pools) await pool.end();
    await superuser.end();
    await onServer(`DROP DATABASE ${name} WITH (FORCE)`);
  });
  const pool = (role: string) => {
    const made = createPool({ connectionString: url, max: 3, applicationName: "countersign-test", log: silent, role });
    pools.push(made);
    return made;
  };
  return { name, url, superuser, pool };
}

describe.each(Object.keys(MANIPULATIONS))("%s", (group) => {
  const names = Object.keys(MANIPULATIONS[group]!);

  it.each(names)("%s: UNGUARDED, naming what was manipulated", async (name) => {
    const { sql, object, problem, undo } = MANIPULATIONS[group]![name]!;
    const database = await copy();
    if (undo !== undefined) onTestFinished(() => revert(undo));
    await database.superuser.query("SET event_triggers = off");
    for (const statement of sql.startsWith("ALTER SYSTEM") ? [sql, "SELECT pg_reload_conf()"] : [sql]) {
      await database.superuser.query(statement.replaceAll("%DB%", database.name));
    }
    const pool = database.pool("oc_auditor");
    const expected = { verdict: "UNGUARDED", seq: undefined, detail: expect.stringMatching(problem) };
    const named = async () => {
      const { verdict, problems } = await verifyLedger(pool, LEDGER, { workers: 1 });
      const found = problems.filter(({ detail }) => detail.startsWith(`${object}: `));
      const details = found.map((one) => ({ ...one, detail: one.detail.slice(object.length + 2) }));
      return { verdict, details };
    };
    // The server reads its configuration when it comes to it.
    if (sql.startsWith("ALTER SYSTEM")) await waitUntil(async () => (await named()).details.length > 0);
    const { verdict, details } = await named();
    expect(details).toContainEqual(expected);
    expect(verdict).toBe("UNGUARDED");
    if (name !== names[0]) return;
    const { code, stdout } = await countersign([
      "verify",
      "--database-url",
      database.url,
      "--keys",
      keysFile,
      "--json",
    ]);
    expect(stdout).toContain('"verdict":"UNGUARDED"');
    const printed: { problems: readonly { detail: string }[] } = JSON.parse(stdout);
    const lines = printed.problems.flatMap(({ detail }) =>
      detail.startsWith(`${object}: `) ? [detail.slice(object.length + 2)] : [],
    );
    expect(lines).toContainEqual(expect.stringMatching(problem));
    expect(code).toBe(1);
  });
});

async function revert(undo: string): Promise<void> {
  await onServer(undo);
  if (undo.startsWith("ALTER SYSTEM")) await onServer("SELECT pg_reload_conf()");
}

describe("what a normal life brings is guarded", () => {
  it.each(["oc_app", "oc_auditor"] as const)(
    "partitions, columns, indexes, logins and schemas, read as %s",
    async (role) => {
      const { superuser, pool, name } = await copy();
      const login = (of: string) => `${of}_${name}`;
      const logins = ["pooler", "analyst", "auditor", "stranger"].map(login);
      onTestFinished(() => revert(`DROP ROLE ${[...logins, login("analysts")].join(", ")}`));
      await superuser.query(`
      SELECT oc_ensure_partition(current_date + 60), oc_ensure_partition(current_date + 400);
      ALTER TABLE oc_audit_log ADD COLUMN remark text DEFAULT 'none';
      CREATE INDEX remark ON oc_audit_log (remark);
      ALTER TABLE oc_audit_log ADD COLUMN brief text;
      ALTER TABLE oc_audit_log DROP COLUMN brief;
      SELECT oc_ensure_partition(current_date + 430);
      CREATE ROLE ${login("pooler")} LOGIN NOINHERIT IN ROLE oc_app;
      CREATE ROLE ${login("analysts")} IN ROLE oc_bi;
      CREATE ROLE ${login("analyst")} LOGIN IN ROLE ${login("analysts")};
      CREATE ROLE ${login("auditor")} LOGIN IN ROLE oc_auditor;
      CREATE ROLE ${login("stranger")} LOGIN CREATEDB CREATEROLE;
      ALTER ROLE ${login("stranger")} SET default_transaction_isolation = 'serializable';
      ALTER DATABASE ${name} SET statement_timeout = '1h';
      ALTER DATABASE ${name} SET synchronous_commit = remote_apply;
      CREATE SCHEMA theirs; CREATE TABLE theirs.oc_table (a integer PRIMARY KEY); GRANT ALL ON theirs.oc_table TO PUBLIC;
      CREATE FUNCTION theirs.sha256(text) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$;
      CREATE VIEW theirs.log AS SELECT seq FROM oc_audit_log;
      REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(double precision) FROM PUBLIC; ANALYZE; REINDEX TABLE oc_state`);
      expect(await guardReport(pool(role))).toEqual({ intact: true, eventTriggers: true, problems: [] });
      expect((await verifyLedger(pool(role), LEDGER, { workers: 1 })).verdict).toBe("INTACT");
    },
  );

  it("a login of BI tools, which the operator accepts in a file outside the database", async () => {
    const { superuser, pool, url, name } = await copy();
    const login = `bi_${name}`;
    await superuser.query(
      `CREATE ROLE ${login} LOGIN IN ROLE oc_bi; INSERT INTO oc_bi_access VALUES ('${login}', 'acme')`,
    );
    onTestFinished(() => revert(`DROP ROLE ${login}`));
    const accepted = { "public.oc_bi_access": [`unexpected: row ${login} reads acme`] };
    expect((await guardReport(pool("oc_app"))).problems).toEqual([
      { object: "public.oc_bi_access", problem: accepted["public.oc_bi_access"][0] },
    ]);
    const folder = await mkdtemp(path.join(tmpdir(), "countersign-exceptions-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = path.join(folder, "exceptions.json");
    const verified = async (contents: unknown) => {
      await writeFile(file, JSON.stringify(contents));
      return countersign(["verify", "--database-url", url, "--keys", keysFile], { GUARD_EXCEPTIONS: file });
    };
    expect(await verified(accepted)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^INTACT/) });
    expect(await verified({ "public.oc_bi_access": ["unexpected: row other reads acme"] })).toMatchObject({ code: 1 });
    expect((await verified(["everything"])).stderr).toContain("GUARD_EXCEPTIONS");
  });
});
