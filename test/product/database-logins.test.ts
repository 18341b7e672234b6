import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { migrate } from "../../src/db/migrate.ts";
import { countersign } from "../cli/run.ts";
import { type App, forget, startApp } from "../support/app.ts";
import { silent } from "../support/log.ts";
import { makeDataDir, withClient } from "../support/server.ts";
import { waitUntil } from "../support/wait.ts";

interface Record {
  readonly url: string;
  readonly logins: { readonly oc_app: string; readonly oc_auditor: string };
}

let app: App;
let record: Record;

/** What an earlier version leaves: a cluster in which only the superuser logs in. */
async function earlierDataDir(): Promise<string> {
  const dataDir = await makeDataDir();
  const postgres = await startEmbeddedPostgres({ dataDir, log: silent, settings: { fsync: "off" } });
  await migrate({ connectionString: postgres.url, log: silent });
  await postgres.stop();
  return dataDir;
}

beforeAll(async () => {
  app = await startApp({ dataDir: await earlierDataDir() });
  record = JSON.parse(await readFile(path.join(app.dataDir, "postgres.json"), "utf8"));
});
afterAll(async () => {
  await app.stop();
  await forget(app);
});

const asSuperuser = <Result>(work: (client: Client) => Promise<Result>) => withClient(record.url, work);

function urlOf(login: keyof Record["logins"]): string {
  const url = new URL(record.url);
  url.username = login;
  url.password = record.logins[login];
  return url.href;
}

describe.each(["oc_app", "oc_auditor"] as const)("%s, as which the built-in database is used", (login) => {
  it.each([
    "SET ROLE postgres",
    "SET ROLE oc_owner",
    "SET SESSION AUTHORIZATION postgres",
    "SET SESSION AUTHORIZATION oc_owner",
    `ALTER ROLE ${login} SUPERUSER`,
    `ALTER ROLE ${login} BYPASSRLS`,
    "ALTER ROLE postgres PASSWORD 'mine'",
    "CREATE ROLE mallory SUPERUSER",
    "GRANT oc_owner TO CURRENT_USER",
    "CREATE DATABASE mine",
    "SELECT * FROM pg_authid",
    "SELECT pg_read_file('postgresql.auto.conf')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "ALTER SYSTEM SET fsync = off",
    "LOAD 'dblink'",
    "DELETE FROM oc_audit_log",
  ])("cannot: RESET ROLE; %s", async (sql) => {
    await withClient(urlOf(login), async (client) => {
      await client.query("RESET ROLE; RESET SESSION AUTHORIZATION");
      await expect(client.query(sql)).rejects.toMatchObject({ code: expect.stringMatching(/^(42501|58P01)$/) });
    });
  });

  it("has no power and is in no other role", async () => {
    const { rows } = await asSuperuser((client) =>
      client.query(
        `SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR rolinherit AS powers,
                (SELECT count(*)::integer FROM pg_auth_members WHERE member = r.oid) AS memberships
           FROM pg_roles r WHERE rolname = $1`,
        [login],
      ),
    );
    expect(rows).toEqual([{ powers: false, memberships: 0 }]);
  });
});

it("only the owner of the data directory reads the passwords", async () => {
  expect((await stat(path.join(app.dataDir, "postgres.json"))).mode & 0o777).toBe(0o600);
});

it("the superuser's password is needed for nothing while the server runs", async () => {
  const { password } = new URL(record.url);
  const pidOf = async () =>
    JSON.parse(await readFile(path.join(app.dataDir, "postgres.json"), "utf8")).pid as number | null;
  const before = await pidOf();
  await asSuperuser((client) => client.query("ALTER ROLE postgres PASSWORD 'of somebody else'"));
  try {
    const environment = { DATA_DIR: app.dataDir };
    const verified = await countersign(["verify", "--database-url"], environment);
    expect(verified.stdout, verified.stderr).toMatch(/^(INTACT|EMPTY) /);
    const exported = await countersign(["export", "--database-url"], environment);
    expect(exported.code, exported.stderr).toBe(0);
    const index = await countersign(["search-index"], environment);
    expect(index.code, index.stderr).toBe(0);
    // Also after the database died, when all is connected anew.
    process.kill(before!, "SIGKILL");
    await waitUntil(async () => (await pidOf()) !== before);
    await withClient(urlOf("oc_app"), (client) => client.query("SELECT 1"));
    await app.ask("{ ledger { id } }", {}, "member");
  } finally {
    const elsewhere = new URL(record.url);
    elsewhere.password = "of somebody else";
    await withClient(elsewhere.href, (client) => client.query(`ALTER ROLE postgres PASSWORD '${password}'`));
  }
});

it("each session of the server and of its commands logged in without a superuser", async () => {
  const { rows } = await asSuperuser((client) =>
    client.query(
      "SELECT DISTINCT usename FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    ),
  );
  expect(rows).toEqual([{ usename: "oc_app" }]);
});
