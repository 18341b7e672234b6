import type { Pool, PoolClient } from "pg";
import type { Logger } from "../log.ts";
import { type RunningJob, schedule } from "./schedule.ts";

const INTERVAL_SECONDS = 6 * 3600;
/** Months after the current one that have a partition before they begin. */
const MONTHS_AHEAD = 2;
/** Making a partition waits for readers of the whole table, and appends wait behind it: not longer than this. */
const LOCK_TIMEOUT = "2s";
/** Entries that came before their month's partition are moved into it, and appends wait: not longer than this. */
const MOVE_TIMEOUT = 600_000;
/** Milliseconds after which the answer about it is not waited for any longer. */
const MOVE_ANSWER_TIMEOUT = MOVE_TIMEOUT + 5_000;

/**
 * Keeps the coming months of `oc_audit_log` and `oc_audit_payload` partitioned. Entries without a partition of their month go
 * to the default one, and are moved into partitions of their months by the next run.
 */
export function startPartitions({ pool, log }: { readonly pool: Pool; readonly log: Logger }): RunningJob {
  async function run(): Promise<boolean> {
    const made = await ensurePartitions(pool);
    if (made > 0) log.info({ made }, "partitions of the audit log were made");
    return false;
  }
  return schedule({ name: "partitions", interval: INTERVAL_SECONDS, run }, log);
}

/**
 * Makes the partitions that are missing, by the database's calendar: each month by itself, so that one that cannot be made
 * keeps none of the others away. Returns how many months this call made. Throws when all were tried and one failed.
 */
export async function ensurePartitions(pool: Pool): Promise<number> {
  let made = 0;
  const errors: unknown[] = [];
  for (let ahead = 0; ahead <= MONTHS_AHEAD; ahead += 1) {
    try {
      if (await ensureMonth(pool, ahead)) made += 1;
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, `${errors.length} months could not be partitioned`);
  return made;
}

async function ensureMonth(pool: Pool, ahead: number): Promise<boolean> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query("BEGIN");
    await client.query("SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)", [
      LOCK_TIMEOUT,
      MOVE_TIMEOUT,
    ]);
    const move = {
      text: "SELECT oc_ensure_partition((now() AT TIME ZONE 'UTC' + make_interval(months => $1))::date) AS made",
      values: [ahead],
      query_timeout: MOVE_ANSWER_TIMEOUT,
    };
    const { rows } = await client.query<{ made: boolean }>(move);
    await client.query("COMMIT");
    return rows[0]?.made === true;
  } catch (error) {
    broken = await rollback(client);
    throw error;
  } finally {
    client.release(broken);
  }
}

/** Returns the error that makes the connection unusable, if there is one. */
async function rollback(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query("ROLLBACK");
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
