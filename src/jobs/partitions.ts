import type { Pool, PoolClient } from "pg";
import { classify } from "../db/errors.ts";
import type { Logger } from "../log.ts";
import { type RunningJob, schedule } from "./schedule.ts";

const INTERVAL_SECONDS = 6 * 3600;
/** Months after the current one that have a partition before they begin. */
const MONTHS_AHEAD = 2;
/** Making a partition waits for readers of the whole table, and appends wait behind it: not longer than this. */
const LOCK_TIMEOUT = "2s";
/** Another server was making the same partition: its table, or its row type, is there already. */
const EXISTS_ALREADY = ["42P07", "42710", "23505"];

/** Keeps the coming months of `oc_audit_log` partitioned. Entries without a partition of their month go to the default one. */
export function startPartitions({ pool, log }: { readonly pool: Pool; readonly log: Logger }): RunningJob {
  async function run(): Promise<boolean> {
    const made = await ensurePartitions(pool);
    if (made > 0) log.info({ made }, "partitions of the audit log were made");
    return false;
  }
  return schedule({ name: "partitions", interval: INTERVAL_SECONDS, run }, log);
}

/** Creates the missing partitions, by the database's clock. Returns how many this call created. */
export async function ensurePartitions(pool: Pool): Promise<number> {
  let made = 0;
  for (let ahead = 0; ahead <= MONTHS_AHEAD; ahead += 1) {
    if (await ensureMonth(pool, ahead)) made += 1;
  }
  return made;
}

async function ensureMonth(pool: Pool, ahead: number): Promise<boolean> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query("BEGIN");
    await client.query("SELECT set_config('lock_timeout', $1, true)", [LOCK_TIMEOUT]);
    const { rows } = await client.query<{ made: boolean }>(
      "SELECT oc_ensure_partition((now() AT TIME ZONE 'UTC' + make_interval(months => $1))::date) AS made",
      [ahead],
    );
    await client.query("COMMIT");
    return rows[0]?.made === true;
  } catch (error) {
    broken = await rollback(client);
    if (error instanceof Error && "code" in error && EXISTS_ALREADY.includes(String(error.code))) return false;
    // Somebody holds the table; the month is not due yet and the next run tries again.
    if (classify(error) === "conflict" && ahead > 0) return false;
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
