import type { Pool } from "pg";
import { buildSegment, forgetErased, missingSegments } from "../ledger/search/build.ts";
import type { Logger } from "../log.ts";
import { type RunningJob, schedule } from "./schedule.ts";

/** Seconds between queries for entries that are not in the index. Searches read these one by one. */
const INTERVAL = 2;
/** Small, so that the servers of a database share a backlog. */
const BATCH = 2;
/** One small statement each. */
const ERASED = 1_000;

/** Builds the search index of all ledgers as their entries fill segments, and deletes what it has of erased values. */
export function startSearchIndex({
  pool,
  log,
}: {
  readonly pool: Pool;
  readonly log: Pick<Logger, "warn">;
}): RunningJob {
  return schedule({ name: "search index", interval: INTERVAL, run: () => indexSome(pool) }, log);
}

/** One run. Returns whether more is left to do. */
export async function indexSome(pool: Pool): Promise<boolean> {
  const erased = await forgetErased(pool, ERASED);
  const missing = await missingSegments(pool, BATCH);
  for (const id of missing) await buildSegment(pool, id);
  return missing.length === BATCH || erased === ERASED;
}
