import type { Pool } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import { createSnapshot, SnapshotExpiredError } from "../../src/db/snapshot.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({
    connectionString: database.superuserUrl,
    max: 2,
    applicationName: "test",
    log: silent,
    connectionTimeoutMs: 500,
  });
});

afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

afterEach(() => waitUntil(() => pool.idleCount === pool.totalCount));

const open = (maxSeconds = 30) =>
  createSnapshot<string>(pool, {
    maxSeconds,
    statement: "SELECT txid_current_snapshot()::text AS at",
    read: ({ rows: [row] }) => row.at,
  });

describe("a snapshot", () => {
  // The first of the file: pg warns once in a process.
  it("sends a statement when the one before is done", async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on("warning", warn);
    const snapshot = open();
    const query = (sql: string) => snapshot.query(sql);
    const answers = await Promise.allSettled([query("SELECT 1 AS n"), query("SELECT 1/0"), query("SELECT 2 AS n")]);
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
    await snapshot.end();
    await new Promise(setImmediate);
    process.off("warning", warn);
    expect(warnings.map(({ message }) => message)).toEqual([]);
  });

  it("takes no connection before the first read, and one from then on", async () => {
    const before = pool.totalCount;
    const snapshot = open();
    expect(pool.idleCount).toBe(before);
    const seen = await Promise.all([1, 2, 3].map(() => snapshot.query("SELECT txid_current_snapshot()::text AS at")));
    const at = await snapshot.first();
    expect(seen.map(({ rows }) => rows[0].at)).toEqual([at, at, at]);
    expect(pool.totalCount - pool.idleCount).toBe(1);
    await snapshot.end();
  });

  it("cannot write", async () => {
    const snapshot = open();
    await expect(snapshot.query("CREATE TABLE x (y int)")).rejects.toMatchObject({ code: "25006" });
    await snapshot.end();
  });

  it("ends once, and refuses reads from then on", async () => {
    const snapshot = open();
    await snapshot.first();
    await Promise.all([snapshot.end(), snapshot.end()]);
    await expect(snapshot.query("SELECT 1")).rejects.toThrow("the snapshot has ended");
    const unused = open();
    await unused.end();
    await expect(unused.first()).rejects.toThrow("the snapshot has ended");
  });

  it("waits at its end for what is still read", async () => {
    const snapshot = open();
    await snapshot.first();
    const reading = snapshot.query("SELECT pg_sleep(0.05), 7 AS found");
    await snapshot.end();
    expect((await reading).rows[0].found).toBe(7);
  });

  it("expires: a statement under way is left with its connection, and the next one is refused", async () => {
    const snapshot = open(0.05);
    await expect(snapshot.query("SELECT pg_sleep(20)")).rejects.toBeInstanceOf(SnapshotExpiredError);
    await expect(snapshot.query("SELECT 1")).rejects.toBeInstanceOf(SnapshotExpiredError);
    await snapshot.end();
  });

  it("expires between two statements, and gives its connection back", async () => {
    const snapshot = open(0.05);
    await snapshot.first();
    await waitUntil(() => pool.idleCount === pool.totalCount);
    await expect(snapshot.query("SELECT 1")).rejects.toBeInstanceOf(SnapshotExpiredError);
  });

  it("keeps no connection that it could not begin on", async () => {
    const broken = createSnapshot(pool, { maxSeconds: 1, statement: "SELECT nothing", read: () => 1 });
    await expect(broken.first()).rejects.toMatchObject({ code: "42703" });
    await broken.end();
    const never = createSnapshot(pool, { maxSeconds: 1, statement: "SELECT 1", read: async () => undefined });
    await expect(never.first()).rejects.toThrow("is not there");
    await never.end();
  });

  it("rejects, and holds nothing, when no connection is to be had in time", async () => {
    const held = [open(), open()];
    await Promise.all(held.map((snapshot) => snapshot.first()));
    const late = open();
    await expect(late.query("SELECT 1")).rejects.toThrow("timeout");
    await Promise.all([late, ...held].map((snapshot) => snapshot.end()));
  });
});
