import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { copyOut } from "../../src/db/copy-out.ts";
import { createEmptyDatabase, type TestDatabase } from "../support/postgres.ts";

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createEmptyDatabase();
  client = new Client({ connectionString: database.superuserUrl });
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

async function rowsOf(select: string): Promise<Buffer[]> {
  const rows: Buffer[] = [];
  await copyOut(client, select, (row) => rows.push(Buffer.from(row)));
  return rows;
}

/** The connection serves the next statement. */
async function stillWorks(): Promise<void> {
  expect((await client.query<{ two: number }>("SELECT 1 + 1 AS two")).rows).toEqual([{ two: 2 }]);
}

describe("copyOut", () => {
  it("calls back with each row in binary, in order", async () => {
    const rows = await rowsOf("SELECT n::bigint, 'é' || n, NULL FROM generate_series(1, 5000) AS n");
    expect(rows).toHaveLength(5_000);
    for (const [at, row] of rows.entries()) {
      const text = Buffer.from(`é${at + 1}`);
      expect(row.readInt16BE(0)).toBe(3);
      expect([row.readInt32BE(2), row.readBigInt64BE(6)]).toEqual([8, BigInt(at + 1)]);
      expect(row.readInt32BE(14)).toBe(text.length);
      expect(row.subarray(18, 18 + text.length)).toEqual(text);
      expect(row.readInt32BE(18 + text.length)).toBe(-1);
    }
    await stillWorks();
  });

  it("calls back never when there are no rows", async () => {
    expect(await rowsOf("SELECT 1 WHERE false")).toEqual([]);
    await stillWorks();
  });

  it("hands over rows larger than what a socket gives at once", async () => {
    const [row] = await rowsOf("SELECT repeat('x', 3000000)");
    expect(row).toHaveLength(2 + 4 + 3_000_000);
  });

  it("rejects with what the callback threw, and calls it no more", async () => {
    let calls = 0;
    const stopped = new Error("enough");
    const copy = copyOut(client, "SELECT n FROM generate_series(1, 1000) AS n", () => {
      calls += 1;
      if (calls === 3) throw stopped;
    });
    await expect(copy).rejects.toBe(stopped);
    expect(calls).toBe(3);
    await stillWorks();
  });

  it("rejects with the database's error, at the start and on the way", async () => {
    await expect(rowsOf("SELECT nothing FROM nowhere")).rejects.toMatchObject({ code: "42P01" });
    await expect(rowsOf("SELECT 1 / (3000 - n) FROM generate_series(1, 5000) AS n")).rejects.toMatchObject({
      code: "22012",
    });
    await stillWorks();
  });

  it("rejects when the connection is lost", async () => {
    const doomed = new Client({ connectionString: database.superuserUrl });
    await doomed.connect();
    const lost = new Promise((resolve) => doomed.on("error", resolve));
    const { rows } = await doomed.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const outcome = copyOut(doomed, "SELECT pg_sleep(60)", () => undefined).catch((error: unknown) => error);
    await client.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid]);
    expect(await outcome).toMatchObject({ code: "57P01" });
    await lost;
  });
});
