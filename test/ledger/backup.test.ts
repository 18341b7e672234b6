import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { migrate } from "../../src/db/migrate.ts";
import { createPool } from "../../src/db/pool.ts";
import { checkFiles } from "../../src/ledger/backup/check.ts";
import { loadBackup } from "../../src/ledger/backup/load.ts";
import { readManifest } from "../../src/ledger/backup/manifest.ts";
import { type WrittenBackup, writeBackup } from "../../src/ledger/backup/write.ts";
import { LEDGER_TABLES } from "../../src/ledger/tables.ts";
import { silent } from "../support/log.ts";
import { createEmptyDatabase, type TestDatabase, withClient } from "../support/postgres.ts";
import { appendActions, createLedger } from "./verify.fixture.ts";

/** The last migration of an earlier version. */
const EARLIER = "000011_search";

let folder: string;
const databases: TestDatabase[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "countersign-backup-"));
});
afterAll(async () => {
  for (const database of databases) await database.drop();
  await rm(folder, { recursive: true, force: true });
});

async function migrated(through?: string): Promise<TestDatabase> {
  const database = await createEmptyDatabase();
  databases.push(database);
  await migrate({
    connectionString: database.superuserUrl,
    log: silent,
    ...(through === undefined ? {} : { through }),
  });
  return database;
}

async function write(database: TestDatabase, name: string): Promise<WrittenBackup & { readonly directory: string }> {
  const directory = path.join(folder, name);
  const pool = createPool({
    connectionString: database.appUrl,
    max: 1,
    applicationName: "test",
    statementTimeoutMs: 0,
    log: silent,
  });
  try {
    const written = await writeBackup({ pool, directory, countersign: "test", publicKeys: { keys: [] } });
    return { ...written, directory };
  } finally {
    await pool.end();
  }
}

/** All rows of the ledger's tables, as text. */
const contents = (database: TestDatabase) =>
  withClient(database.superuserUrl, async (client) => {
    const tables: Record<string, readonly string[]> = {};
    for (const table of LEDGER_TABLES) {
      const { rows } = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${table} t ORDER BY 1`);
      tables[table] = rows.map(({ row }) => row);
    }
    return tables;
  });

it("a backup of an earlier version is loaded as it was, and then migrated", async () => {
  const before = await migrated(EARLIER);
  await withClient(before.superuserUrl, async (client) => {
    await createLedger(client, "acme/eu");
    await createLedger(client, "empty/eu");
    await appendActions(client, "acme/eu", 0, 8);
  });
  const { directory, sha256 } = await write(before, "earlier");
  const { manifest, sha256: read } = await readManifest(directory);
  expect(read).toBe(sha256);
  expect(manifest.migration).toBe(EARLIER);
  await checkFiles(directory, manifest);

  const after = await migrated(manifest.migration);
  const client = new Client({ connectionString: after.superuserUrl });
  await client.connect();
  try {
    await loadBackup(client, directory, manifest);
  } finally {
    await client.end();
  }
  await migrate({ connectionString: after.superuserUrl, log: silent });
  const rows = await contents(after);
  expect(rows).toEqual(await contents(before));
  expect(rows.oc_audit_log?.length).toBeGreaterThan(30);
  await withClient(after.superuserUrl, async (reader) => {
    // Guarded as if nothing had been loaded, in the partition of its month, and it goes on.
    expect((await reader.query("SELECT * FROM oc_guard.problems()")).rows).toEqual([]);
    expect((await reader.query("SELECT * FROM ONLY oc_audit_log_default")).rows).toEqual([]);
    await expect(reader.query("DELETE FROM oc_audit_log")).rejects.toMatchObject({ code: "OC403" });
    await expect(reader.query("DELETE FROM oc_state")).rejects.toMatchObject({ code: "OC403" });
    await appendActions(reader, "acme/eu", 100, 101);
  });
});

it("every table is in a backup, or known to be made anew", async () => {
  const database = await migrated();
  const { rows } = await withClient(database.superuserUrl, (client) =>
    client.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'oc_work', 'oc_bi') AND c.relkind IN ('r', 'p', 'm')
          AND NOT c.relispartition ORDER BY 1`,
    ),
  );
  // Guards and migrations are made by migrating; whom a login reports about is the operator's, as the login is.
  const made = ["baseline", "oc_bi_access", "oc_migrations"];
  expect(rows.map(({ name }) => name)).toEqual([...LEDGER_TABLES, ...made].sort());
});

it("a backup that fails leaves nothing", async () => {
  const database = await migrated();
  const pool = createPool({ connectionString: database.appUrl, max: 1, applicationName: "test", log: silent });
  const directory = path.join(folder, "failed");
  const keyFile = path.join(folder, "no-keys.json");
  const failed = writeBackup({ pool, directory, countersign: "test", publicKeys: { keys: [] }, keyFile });
  await expect(failed).rejects.toMatchObject({ code: "ENOENT" });
  await pool.end();
  expect((await readdir(folder)).filter((name) => name.startsWith("failed"))).toEqual([]);
});
