import { DatabaseError, type Pool } from "pg";
import type { Logger } from "../log.ts";
import { type RunningJob, schedule } from "./schedule.ts";

/** Seconds between two runs, at most: a transaction takes longer than its limit by no more than this, and a quarter. */
const INTERVAL = 5;

/** SQLSTATE of limits that the role which migrated cannot keep, because it is no superuser. */
const NOT_PERMITTED = "42501";

export interface ReaderLimits {
  /** Seconds that a transaction of a login of `oc_bi` may take. */
  readonly report: number;
  /** Seconds that a transaction of a login of `oc_auditor` may take. */
  readonly audit: number;
  /** Connections of a login that has no limit of its own. */
  readonly connections: number;
}

/**
 * Keeps logins that only read within limits that they cannot lift: PostgreSQL lets every session lift its own statement_timeout.
 */
export function startReaderLimits({
  pool,
  limits,
  log,
}: {
  readonly pool: Pick<Pool, "query">;
  readonly limits: ReaderLimits;
  readonly log: Pick<Logger, "warn">;
}): RunningJob {
  let impossible = false;

  async function run(): Promise<boolean> {
    const { rows } = await pool
      .query<{ login: string; seconds: number }>("SELECT login, seconds FROM oc_guard.limit_readers($1, $2, $3)", [
        limits.report,
        limits.audit,
        limits.connections,
      ])
      .catch((error: unknown) => {
        if (!(error instanceof DatabaseError) || error.code !== NOT_PERMITTED) throw error;
        // Only another migration changes that.
        if (!impossible) log.warn({ err: error }, "limits of readers cannot be kept");
        impossible = true;
        return { rows: [] };
      });
    for (const { login, seconds } of rows)
      log.warn({ login, seconds }, "a session of a reader took too long and was ended");
    return false;
  }
  const interval = Math.min(INTERVAL, limits.report / 4, limits.audit / 4);
  return schedule({ name: "reader limits", interval, run }, log);
}
