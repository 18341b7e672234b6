import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { migrate, pendingMigrations } from "../../src/db/migrate.ts";
import { recordingLog, silent } from "../support/log.ts";
import { createEmptyDatabase, type TestDatabase, withClient } from "../support/postgres.ts";

let database: TestDatabase;
let directory: string;

beforeEach(async () => {
  database = await createEmptyDatabase();
  directory = await mkdtemp(join(tmpdir(), "countersign-sql-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
  await database.drop();
});

async function files(contents: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, sql] of Object.entries(contents)) await writeFile(join(directory, name), sql);
}

const run = () => migrate({ connectionString: database.superuserUrl, directory, log: silent });
const rows = (sql: string) =>
  withClient(database.superuserUrl, async (client) =>
    (await client.query({ text: sql, rowMode: "array" })).rows.flat(),
  );

const pending = (url: string, from?: string) => withClient(url, (client) => pendingMigrations(client, from));

describe("migrate", () => {
  it("applies this checkout's migrations in order, once", async () => {
    const names = (await readdir(new URL("../../sql", import.meta.url)))
      .filter((name) => /^\d{6}_.*\.sql$/.test(name))
      .map((name) => name.slice(0, -4))
      .sort();
    const connectionString = database.superuserUrl;
    const seen: string[] = [];
    expect(await pending(connectionString)).toEqual(names);
    const first = await migrate({
      connectionString,
      log: silent,
      onProgress: ({ name, index, total }) => seen.push(`${index}/${total} ${name}`),
    });
    expect(first).toEqual({ applied: names, current: names.at(-1) });
    expect(seen).toEqual(names.map((name, at) => `${at + 1}/${names.length} ${name}`));
    expect(await migrate({ connectionString, log: silent })).toEqual({ applied: [], current: names.at(-1) });
    expect(await pending(connectionString)).toEqual([]);
  });

  it("lets one of several processes migrate while the others wait", async () => {
    const reports = await Promise.all(
      [1, 2, 3].map(async () => {
        const program = new URL("../support/migrator.ts", import.meta.url);
        const [report] = await once(fork(program, [database.superuserUrl], { execArgv: [] }), "message");
        return report.applied as readonly string[];
      }),
    );
    expect(reports.filter((applied) => applied.length === 0)).toHaveLength(2);
    expect(reports.flat()).toEqual(await rows("SELECT name FROM oc_migrations ORDER BY id"));
  });

  it("reports that it waits for another process", async () => {
    await files({ "000001_slow.sql": "SELECT pg_sleep(1)" });
    const log = recordingLog();
    const options = { connectionString: database.superuserUrl, directory, log };
    await Promise.all([migrate(options), migrate(options)]);
    expect(log.messages).toContain("another process migrates this database, waiting for it");
  });

  it("marks each transaction as a migration, whichever role and settings a file leaves behind", async () => {
    await files({
      "000001_one.sql": `
        CREATE TABLE seen AS SELECT current_setting('countersign.migration') AS migration, current_user::text AS who;
        GRANT INSERT ON seen TO pg_monitor;
        SET LOCAL ROLE pg_monitor;
        SET LOCAL countersign.migration = 'off'`,
      "000002_two.sql":
        "INSERT INTO seen VALUES (current_setting('countersign.migration'), current_user) -- no semicolon",
    });
    await run();
    expect(await rows("SELECT DISTINCT migration, who = current_user FROM seen")).toEqual(["on", true]);
    expect(await rows("SELECT current_setting('countersign.migration', true)")).toEqual([null]);
  });

  it("rolls back a file that fails and keeps the ones before it", async () => {
    await files({
      "000001_good.sql": "CREATE TABLE good ()",
      "000002_bad.sql": "CREATE TABLE bad (); SELECT 1 / 0;",
      "000003_never.sql": "CREATE TABLE never ()",
    });
    await expect(run()).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      message: "Migration 000002_bad failed and was rolled back: division by zero",
    });
    const tables = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    expect(await rows(`${tables} ORDER BY 1`)).toEqual(["good", "oc_migrations"]);
    expect(await rows("SELECT name FROM oc_migrations")).toEqual(["000001_good"]);
    await files({ "000002_bad.sql": "CREATE TABLE bad ()" });
    expect((await run()).applied).toEqual(["000002_bad", "000003_never"]);
  });

  it("reads numbered files alone, as they are", async () => {
    await files({
      "000001_one.sql": "-- Up migration\nCREATE TABLE one ();\n-- Down migration\nCREATE TABLE {two} ();".replace(
        /[{}]/g,
        "",
      ),
      "README.md": "not SQL",
      "schema.txt": "not SQL",
      "notes.sql": "not SQL",
      "0001_short.sql": "not SQL",
    });
    expect((await run()).applied).toEqual(["000001_one"]);
    expect(await rows("SELECT to_regclass('two')::text")).toEqual(["two"]);
  });

  it("refuses a database newer than the code, naming both", async () => {
    await files({ "000001_one.sql": "SELECT 1", "000002_two.sql": "SELECT 1" });
    await run();
    await rm(join(directory, "000002_two.sql"));
    const refusal = {
      code: "DATABASE_NEWER",
      message: expect.stringContaining("it is at 000002_two, this code knows up to 000001_one"),
    };
    await expect(run()).rejects.toMatchObject(refusal);
    await expect(pending(database.superuserUrl, directory)).rejects.toMatchObject(refusal);
  });

  it("refuses a file slipped in before what was applied", async () => {
    await files({ "000001_one.sql": "SELECT 1", "000003_three.sql": "SELECT 1" });
    await run();
    await files({ "000002_two.sql": "CREATE TABLE two ()" });
    await expect(run()).rejects.toMatchObject({
      code: "MIGRATION_MISSING",
      message: expect.stringContaining("000002_two comes before 000003_three"),
    });
    expect(await rows("SELECT to_regclass('two')::text")).toEqual([null]);
  });

  it("refuses a directory without migrations", async () => {
    await expect(run()).rejects.toMatchObject({ code: "MIGRATION_MISSING" });
  });
});
