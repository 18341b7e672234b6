import type { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import { ensurePartitions } from "../../src/jobs/partitions.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ connectionString: database.appUrl, max: 8, applicationName: "test", log: silent });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

async function partitions(): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'oc_audit_log'::regclass ORDER BY 1",
  );
  return rows.map(({ name }) => name);
}

async function monthsAhead(): Promise<readonly string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT 'oc_audit_log_' || to_char(now() AT TIME ZONE 'UTC' + make_interval(months => ahead), 'YYYY_MM') AS name
       FROM generate_series(0, 2) AS ahead`,
  );
  return rows.map(({ name }) => name);
}

describe("ensurePartitions", () => {
  it("makes what is missing, once, when servers do it together", async () => {
    const made = await Promise.all(Array.from({ length: 4 }, () => ensurePartitions(pool)));
    expect(await partitions()).toEqual(expect.arrayContaining([...(await monthsAhead())]));
    // The migration made the current month and the next.
    expect(made.reduce((sum, each) => sum + each, 0)).toBe(1);
    expect(await ensurePartitions(pool)).toBe(0);
  });

  it("lets servers that wait for the same table make it one after the other", async () => {
    const next = (await monthsAhead())[2] ?? "";
    await withClient(database.superuserUrl, async (client) => {
      await client.query("SELECT set_config('countersign.migration', 'on', false)");
      await client.query(`DROP TABLE ${next}, ${next.replace("log", "payload")}`);
      await client.query("BEGIN");
      await client.query("LOCK TABLE oc_audit_log IN ACCESS SHARE MODE");
      const both = Promise.all([ensurePartitions(pool), ensurePartitions(pool)]);
      both.catch(() => undefined);
      await waitUntil(async () => {
        const waiting = `SELECT count(*)::integer AS n FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%oc_ensure_partition%'`;
        const { rows } = await withClient(database.superuserUrl, (other) => other.query(waiting));
        return rows[0]?.n === 2;
      });
      await client.query("COMMIT");
      expect((await both).toSorted()).toEqual([0, 1]);
    });
  });

  it("does not wait for long behind somebody who holds the table", async () => {
    const next = (await monthsAhead())[2] ?? "";
    await withClient(database.superuserUrl, async (client) => {
      await client.query("SELECT set_config('countersign.migration', 'on', false)");
      await client.query(`DROP TABLE ${next}`);
      await client.query("BEGIN");
      await client.query("LOCK TABLE oc_audit_log IN ACCESS SHARE MODE");
      // Its job comes back soon.
      await expect(ensurePartitions(pool)).rejects.toMatchObject({ errors: [{ code: "55P03" }] });
      await client.query("COMMIT");
    });
    expect(await ensurePartitions(pool)).toBe(1);
  });
});
