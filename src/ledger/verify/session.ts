import { readFileSync } from "node:fs";
import type { Pool, PoolClient, QueryResultRow } from "pg";

/**
 * The statements of a verification. They come from this folder and not from functions in the database: those could have
 * been changed by whoever changed the entries.
 */
const load = (name: string) => readFileSync(new URL(`./${name}.sql`, import.meta.url), "utf8");
export const statements = {
  head: load("head"),
  known: load("known"),
  range: load("range"),
  rows: load("rows"),
  states: load("states"),
  chains: load("chains"),
  sessions: load("sessions"),
  directory: load("directory"),
  stateRows: load("state-rows"),
} as const;

export type Run = <Row extends QueryResultRow>(sql: string, values: readonly unknown[]) => Promise<Row[]>;

/**
 * Names resolve in pg_catalog alone, so nothing in `public` can stand in for a function of PostgreSQL. The plans are the
 * ones that read entries in order, whatever the statistics say; parallelism is ours, by ranges.
 */
export const SETTINGS = `
  SET LOCAL search_path = pg_catalog;
  SET LOCAL timezone = 'UTC';
  SET LOCAL statement_timeout = 0;
  SET LOCAL work_mem = '32MB';
  SET LOCAL jit = off;
  SET LOCAL max_parallel_workers_per_gather = 0;
  SET LOCAL enable_seqscan = off;
  SET LOCAL enable_bitmapscan = off;
  SET LOCAL enable_hashjoin = off`;

/** Runs `work` on one connection in a transaction that sees one moment and can write nothing. */
export async function inSnapshot<Result>(pool: Pool, work: (run: Run) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  try {
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;${SETTINGS}`);
    const result = await work((sql, values) => select(client, sql, values));
    await client.query("COMMIT");
    client.release();
    return result;
  } catch (error) {
    await giveBack(client);
    throw error;
  }
}

async function select<Row extends QueryResultRow>(
  client: PoolClient,
  sql: string,
  values: readonly unknown[],
): Promise<Row[]> {
  const { rows } = await client.query<Row>(sql, [...values]);
  return rows;
}

/** A connection whose transaction cannot be ended is closed, not put back. */
async function giveBack(client: PoolClient): Promise<void> {
  try {
    await client.query("ROLLBACK");
    client.release();
  } catch (error) {
    client.release(error instanceof Error ? error : true);
  }
}

/** True when the data itself made a statement fail (SQLSTATE class 22): text that is not JSON, a cast of nonsense. */
export function isDataError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("22");
}
