import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { classify, connectionLost } from "../../src/db/errors.ts";
import { createPool } from "../../src/db/pool.ts";
import { createPrisma } from "../../src/db/prisma.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  await withClient(database.superuserUrl, (client) =>
    client.query(
      "CREATE TABLE pair (id int PRIMARY KEY, n int NOT NULL CHECK (n >= 0)); INSERT INTO pair VALUES (1, 0), (2, 0)",
    ),
  );
});

afterAll(() => database.drop());

async function failure(work: (client: Client) => Promise<unknown>, url = database.superuserUrl): Promise<unknown> {
  try {
    await withClient(url, async (client) => {
      client.on("error", () => undefined);
      await work(client);
    });
  } catch (error) {
    return error;
  }
  throw new Error("It should have failed.");
}

const statement = (sql: string) => failure((client) => client.query(sql));

function at(change: (url: URL) => void): string {
  const url = new URL(database.superuserUrl);
  change(url);
  return url.href;
}

describe("classify", () => {
  it.each([
    ["INSERT INTO pair VALUES (1, 0)", "refused"],
    ["INSERT INTO pair VALUES (3, -1)", "refused"],
    ["SELECT 'x'::int", "refused"],
    ["SELECT repeat('[', 1000000)::jsonb", "refused"],
    ["SET ROLE oc_app; DELETE FROM oc_audit_log", "refused"],
    ["DO $$ BEGIN RAISE EXCEPTION 'no'; END $$", "refused"],
    ["DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'OC409'; END $$", "refused"],
    ["SET statement_timeout = 20; SELECT pg_sleep(20)", "timeout"],
    ["SELECT pg_terminate_backend(pg_backend_pid())", "unavailable"],
    ["BEGIN READ ONLY; DELETE FROM pair", "unavailable"],
    ["SELECT missing", "bug"],
    ["SELEC", "bug"],
  ])("%s: %s", async (sql, expected) => {
    expect(classify(await statement(sql))).toBe(expected);
  });

  it("deadlock and serialization failure: conflict", async () => {
    const clash = (isolation: string, [first, second]: readonly [string, string]) =>
      failure((one) =>
        withClient(database.superuserUrl, async (two) => {
          await one.query(`BEGIN ISOLATION LEVEL ${isolation}; ${first}`);
          await two.query(`BEGIN ISOLATION LEVEL ${isolation}; ${second}`);
          const crossed = [one.query(second), two.query(first)];
          const failed = (await Promise.allSettled(crossed)).find(({ status }) => status === "rejected");
          throw failed?.status === "rejected" ? failed.reason : new Error("It should have failed.");
        }),
      );
    const updates = ["UPDATE pair SET n = n + 1 WHERE id = 1", "UPDATE pair SET n = n + 1 WHERE id = 2"] as const;
    expect(classify(await clash("READ COMMITTED", updates))).toBe("conflict");
    const stale = await failure((one) =>
      withClient(database.superuserUrl, async (two) => {
        await one.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pair");
        await two.query(updates[0]);
        await one.query(updates[0]);
      }),
    );
    expect(stale).toMatchObject({ code: "40001" });
    expect(classify(stale)).toBe("conflict");
  });

  it("no server, no database, no entry: unavailable, and nothing can have happened", async () => {
    for (const url of [
      at((url) => {
        url.port = "1";
      }),
      at((url) => {
        url.hostname = "database.invalid";
      }),
      at((url) => {
        url.pathname = "/absent";
      }),
      at((url) => {
        url.password = "wrong";
      }),
    ]) {
      const error = await failure(() => Promise.resolve(), url);
      expect(classify(error, { committing: true })).toBe("unavailable");
      expect(connectionLost(error)).toBe(false);
    }
  });

  it("a pool with no connection left: unavailable", async () => {
    const pool = createPool({
      connectionString: database.appUrl,
      max: 1,
      applicationName: "errors",
      log: silent,
      connectionTimeoutMs: 3_000, // also bounds connecting, which a busy machine makes slow
    });
    const client = await pool.connect();
    const error = await pool.query("SELECT 1").catch((reason: unknown) => reason);
    client.release();
    await pool.end();
    expect(classify(error, { committing: true })).toBe("unavailable");
    expect(classify(await pool.query("SELECT 1").catch((reason: unknown) => reason))).toBe("unavailable");
  });

  it("a connection lost during a statement: unknown for a commit", async () => {
    const error = await statement("SELECT pg_terminate_backend(pg_backend_pid())");
    expect(connectionLost(error)).toBe(true);
    expect(classify(error, { committing: true })).toBe("unknown-commit");
    expect(classify(error)).toBe("unavailable");
    const afterwards = await failure(async (client) => {
      await client.query("SELECT pg_terminate_backend(pg_backend_pid())").catch(() => undefined);
      await client.query("SELECT 1");
    });
    expect(classify(afterwards)).toBe("unavailable");
    const abandoned = await failure((client) => {
      const patience = { text: "SELECT pg_sleep(1)", query_timeout: 20 };
      return client.query(patience);
    });
    expect(classify(abandoned)).toBe("unavailable");
    expect(classify(abandoned, { committing: true })).toBe("unknown-commit");
  });

  it("a cancelled statement did not commit, for every kind of call", async () => {
    const error = await statement("SET statement_timeout = 20; SELECT pg_sleep(20)");
    expect(classify(error, { committing: true })).toBe("timeout");
  });

  it("what Prisma wraps", async () => {
    const pool = createPool({
      connectionString: database.appUrl,
      max: 1,
      applicationName: "errors",
      log: silent,
      statementTimeoutMs: 50,
    });
    const prisma = createPrisma(pool);
    const meaning = (query: Promise<unknown>) =>
      query.then(
        () => "success",
        (error: unknown) => classify(error),
      );
    expect(await meaning(prisma.$queryRaw`DELETE FROM oc_ledger_head`)).toBe("refused");
    expect(await meaning(prisma.$queryRaw`SELECT 1 FROM pg_sleep(20)`)).toBe("timeout");
    expect(await meaning(prisma.$queryRaw`SELECT missing`)).toBe("bug");
    await pool.query("SET statement_timeout = 0");
    const cut = meaning(prisma.$queryRaw`SELECT 1 FROM pg_sleep(50)`);
    const kill =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(50)%' AND state = 'active' AND pid <> pg_backend_pid()";
    await waitUntil(
      async () => (await withClient(database.superuserUrl, (client) => client.query(kill))).rowCount === 1,
    );
    expect(await cut).toBe("unavailable");
    await pool.end();
    expect(await meaning(prisma.entry.findMany())).toBe("unavailable");
    const nowhere = createPool({
      connectionString: at((url) => {
        url.port = "1";
      }),
      max: 1,
      applicationName: "errors",
      log: silent,
    });
    expect(await meaning(createPrisma(nowhere).entry.findMany())).toBe("unavailable");
    await nowhere.end();
  });

  it("a full disk, and what is no database error at all", () => {
    const full = Object.assign(new Error("could not extend file: No space left on device"), { code: "53100" });
    expect(classify(full)).toBe("disk-full");
    expect(classify(new Error("append failed", { cause: full }))).toBe("disk-full");
    expect(classify(new TypeError("x is not a function"))).toBe("bug");
    expect(classify("not even an error")).toBe("bug");
  });
});
