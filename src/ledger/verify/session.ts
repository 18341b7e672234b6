import { readFileSync } from "node:fs";
import type { ClientBase, Pool, QueryResultRow } from "pg";
import { answerLimit } from "../../db/session.ts";
import { asError } from "../../errors.ts";

/**
 * The statements of a verification. They are in this folder and not in functions of the database, which an attacker who
 * changed entries could have changed too.
 */
const load = (name: string) => readFileSync(new URL(`./${name}.sql`, import.meta.url), "utf8");
export const statements = {
  head: load("head"),
  known: load("known"),
  months: load("months"),
  past: load("past"),
  rows: load("rows"),
} as const;

export type RunQuery = <Row extends QueryResultRow>(sql: string, values: readonly unknown[]) => Promise<Row[]>;

/**
 * Names resolve in pg_catalog alone, so nothing in `public` can stand in for an operator of PostgreSQL. Values are written
 * in one way, whatever the database's defaults. The plans are the ones that read entries in order, whatever the statistics
 * say; parallelism is ours, by pieces.
 */
export const SETTINGS = `
  SET LOCAL search_path = pg_catalog;
  SET LOCAL timezone = 'UTC';
  SET LOCAL datestyle = 'ISO, YMD';
  SET LOCAL bytea_output = 'hex';
  SET LOCAL statement_timeout = 0;
  SET LOCAL work_mem = '32MB';
  SET LOCAL jit = off;
  SET LOCAL max_parallel_workers_per_gather = 0;
  SET LOCAL enable_seqscan = off;
  SET LOCAL enable_bitmapscan = off;
  SET LOCAL enable_hashjoin = off`;

/**
 * Runs `work` with a connection of `pool`. One whose transaction cannot be ended is closed, not put back. When `signal` aborts, the
 * connection is closed at once, and `work` rejects: statements of a verification have no time limit.
 */
export async function withConnection<Result>(
  pool: Pool,
  work: (client: ClientBase) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  signal?.throwIfAborted();
  const client = await pool.connect();
  const abort = () => client.release(new Error("the verification was abandoned"));
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const result = await work(client);
    if (signal?.aborted !== true) client.release();
    return result;
  } catch (error) {
    if (signal?.aborted === true) throw error;
    await client.query("ROLLBACK; CLOSE ALL").then(
      () => client.release(),
      (reason: unknown) => client.release(asError(reason)),
    );
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * How long a verification waits for a lock, in the notation of PostgreSQL: without and with a time limit for its statements. After
 * that it reports who holds the lock.
 */
const LOCK_LIMIT = "10min";
const SHORT_LOCK_LIMIT = "1min";

/**
 * Runs `work` in a transaction that sees one moment and can write nothing. When it fails, the connection is left in the
 * middle of it.
 *
 * @param limitMs milliseconds that each statement of `work` may take, whatever the connection's own limit; undefined: no limit of the
 *   database, and the one that the pool has.
 */
export async function inSnapshot<Result>(
  client: ClientBase,
  work: (run: RunQuery) => Promise<Result>,
  limitMs?: number,
): Promise<Result> {
  // Locked before the snapshot is taken: rows that are moved to another partition in between would be seen in neither.
  await client.query(
    `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = '${limitMs === undefined ? LOCK_LIMIT : SHORT_LOCK_LIMIT}';
     LOCK TABLE ONLY public.oc_audit_log IN ACCESS SHARE MODE;
     LOCK TABLE ONLY public.oc_audit_payload IN ACCESS SHARE MODE;${SETTINGS};
     SET LOCAL statement_timeout = ${limitMs ?? 0}`,
  );
  const limit = limitMs === undefined ? {} : answerLimit(limitMs);
  const result = await work(async (text, values) => (await client.query({ text, values: [...values], ...limit })).rows);
  await client.query("COMMIT");
  return result;
}
