import type { Pool } from "pg";
import { afterAll, beforeAll } from "vitest";
import { createPool } from "../../../src/db/pool.ts";
import { later } from "../../support/later.ts";
import { silent } from "../../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";

/** A database of the file's own, from before its first test until after its last. Call it once, at the top. */
export function useDatabase(): Pool {
  let database: TestDatabase | undefined;
  let pool: Pool | undefined;
  beforeAll(async () => {
    database = await createTestDatabase();
    pool = createPool({ connectionString: database.appUrl, max: 4, applicationName: "test", log: silent });
  });
  afterAll(async () => {
    await pool?.end();
    await database?.drop();
  });
  return later(() => pool);
}
