import type { Pool } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { classify, connectionLost } from "../../src/db/errors.ts";
import { createPool, UnsafeRoleError } from "../../src/db/pool.ts";
import { createPrisma } from "../../src/db/prisma.ts";
import { recordingLog, silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";

let database: TestDatabase;
const pools: Pool[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.end()));
});

afterAll(() => database.drop());

function open(options: Partial<Parameters<typeof createPool>[0]> = {}): Pool {
  const pool = createPool({
    connectionString: database.appUrl,
    max: 2,
    applicationName: "countersign-test",
    log: silent,
    ...options,
  });
  pools.push(pool);
  return pool;
}

const asSuperuser = (sql: string) => withClient(database.superuserUrl, (client) => client.query(sql));

/** Roles belong to the server, so these are named after the database and removed again. */
async function withRole(definition: string, work: (name: string) => Promise<void>): Promise<void> {
  const name = `role_${database.name}`;
  await asSuperuser(`CREATE ROLE ${name} ${definition}`);
  try {
    await work(name);
  } finally {
    await asSuperuser(`DROP OWNED BY ${name}; DROP ROLE ${name}`);
  }
}

function as(name: string): string {
  const url = new URL(database.appUrl);
  url.username = name;
  url.password = "secret";
  return url.href;
}

describe("createPool", () => {
  it("works as oc_app on every connection", async () => {
    const pool = open();
    const both = await Promise.all([pool.connect(), pool.connect()]);
    try {
      for (const client of both) {
        const { rows } = await client.query(
          `SELECT current_user::text AS role, current_setting('is_superuser') AS superuser, current_setting('jit') AS jit,
                  current_setting('timezone') AS zone, current_setting('application_name') AS name`,
        );
        expect(rows).toEqual([{ role: "oc_app", superuser: "off", jit: "off", zone: "UTC", name: "countersign-test" }]);
      }
    } finally {
      for (const client of both) client.release();
    }
  });

  it.each([
    "INSERT INTO oc_audit_log SELECT * FROM oc_audit_log",
    "INSERT INTO oc_audit_log_default SELECT * FROM oc_audit_log_default",
    "UPDATE oc_audit_log SET type = 'X'",
    "DELETE FROM oc_audit_payload",
    "TRUNCATE oc_ledger_head",
    "UPDATE oc_state SET status = 'APPROVED'",
    "INSERT INTO oc_state SELECT * FROM oc_state",
    "COPY oc_audit_log FROM PROGRAM 'true'",
    "ALTER TABLE oc_audit_log DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "CREATE TABLE public.mine ()",
  ])("cannot %s", async (statement) => {
    await expect(open().query(statement)).rejects.toMatchObject({ code: "42501" });
  });

  it("reads", async () => {
    expect((await open().query("SELECT FROM oc_audit_log")).rows).toEqual([]);
  });

  it("gives no way out to a login that was granted oc_app alone", async () => {
    await withRole("LOGIN NOINHERIT PASSWORD 'secret' IN ROLE oc_app", async (name) => {
      const pool = open({ connectionString: as(name), max: 1 });
      for (const command of ["RESET ROLE", "SET ROLE NONE", "RESET SESSION AUTHORIZATION", "DISCARD ALL"]) {
        await pool.query(command);
        await expect(
          pool.query("INSERT INTO public.oc_ledger_head VALUES ('a/b', 0, '', now())"),
        ).rejects.toMatchObject({
          code: "42501",
        });
      }
      await expect(pool.query("SET ROLE oc_owner")).rejects.toMatchObject({ code: "42501" });
      await pool.end();
      pools.splice(0);
    });
  });

  it("refuses a login that may not work as oc_app", async () => {
    await withRole("LOGIN PASSWORD 'secret'", async (name) => {
      const refusal = open({ connectionString: as(name) }).query("SELECT 1");
      await expect(refusal).rejects.toThrow(UnsafeRoleError);
      await expect(refusal).rejects.toThrow("may not work as oc_app");
    });
  });

  it.each([
    ["SUPERUSER", "is a superuser"],
    ["BYPASSRLS", "bypasses row-level security"],
    ["CREATEROLE", "may create roles"],
    ["IN ROLE oc_owner", "oc_owner owns tables or functions"],
    ["IN ROLE pg_write_all_data", "pg_write_all_data is granted"],
  ])("refuses to serve as a role with %s", async (definition, reason) => {
    await withRole(`NOINHERIT ${definition}`, async (role) => {
      const refusal = open({ role }).query("SELECT 1");
      await expect(refusal).rejects.toThrow(UnsafeRoleError);
      await expect(refusal).rejects.toThrow(reason);
    });
  });

  it("reports what to do when the role does not exist", async () => {
    await expect(open({ role: "oc_absent" }).query("SELECT 1")).rejects.toThrow("run `countersign migrate`");
  });

  it("cancels a statement that takes too long", async () => {
    await expect(open({ statementTimeoutMs: 50 }).query("SELECT pg_sleep(20)")).rejects.toMatchObject({
      code: "57014",
    });
  });

  it("never commits asynchronously, and leaves stricter settings alone", async () => {
    const setting = (options: string) =>
      open({ connectionString: `${database.appUrl}?options=-c%20synchronous_commit%3D${options}` })
        .query("SELECT current_setting('synchronous_commit') AS value")
        .then(({ rows }) => rows[0]?.value);
    expect(await setting("off")).toBe("on");
    expect(await setting("remote_apply")).toBe("remote_apply");
  });

  it("outlives idle connections that the server ends", async () => {
    const log = recordingLog();
    const pool = open({ log });
    const { rows } = await pool.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    await asSuperuser(`SELECT pg_terminate_backend(${rows[0]?.pid})`);
    await waitUntil(() => log.messages.includes("an idle database connection was lost"));
    expect((await pool.query("SELECT current_user::text AS role")).rows).toEqual([{ role: "oc_app" }]);
  });

  it("outlives a connection that the server ends while it is held, between two statements", async () => {
    const pool = open();
    const client = await pool.connect();
    const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const ended = new Promise((resolve) => client.once("end", resolve));
    await asSuperuser(`SELECT pg_terminate_backend(${rows[0]?.pid})`);
    await ended;
    const next = client.query("SELECT 1");
    await expect(next).rejects.toSatisfy(connectionLost);
    await expect(next).rejects.toSatisfy((error) => classify(error) === "unavailable");
    client.release();
    expect((await pool.query("SELECT current_user::text AS role")).rows).toEqual([{ role: "oc_app" }]);
  });

  it("rejects when a caller waits too long for a connection", async () => {
    const pool = open({ max: 1, connectionTimeoutMs: 1_000 });
    const client = await pool.connect();
    await expect(pool.query("SELECT 1")).rejects.toThrow("timeout exceeded");
    client.release();
  });
});

describe("createPrisma", () => {
  it("reads and is refused to write", async () => {
    const prisma = createPrisma(open());
    expect(await prisma.entry.findMany({ include: { payload: true } })).toEqual([]);
    await expect(prisma.$executeRaw`DELETE FROM oc_ledger_head`).rejects.toThrow("permission denied");
    await prisma.$disconnect();
  });
});
