import type { Pool } from "pg";
import type { Queryable } from "../ledger/read.ts";
import { buildSegment, forgetErased, missingSegments } from "../ledger/search/build.ts";
import type { Logger } from "../log.ts";
import { scheduleInThread } from "./in-thread.ts";
import type { RunningJob } from "./schedule.ts";

/** Seconds between queries for entries that are not in the index. Searches read these one by one. */
const INTERVAL = 2;
/** Small, so that the servers of a database share a backlog. */
const BATCH = 2;
/** One small statement each. */
const ERASED = 1_000;

/**
 * Builds the search index of all ledgers as their entries fill segments, and deletes what it has of erased values. In a thread
 * with a connection of its own: an entry takes about 80 µs, for which no request should wait.
 */
export function startSearchIndex({
  pool,
  log,
}: {
  readonly pool: Pool;
  readonly log: Pick<Logger, "warn">;
}): RunningJob {
  const file = new URL("./search-index-thread.ts", import.meta.url);
  return scheduleInThread<boolean>({ name: "search index", interval: INTERVAL, file, done: (more) => more }, pool, log);
}

/** One run. Returns whether more is left to do. */
export async function indexSome(db: Queryable): Promise<boolean> {
  const erased = await forgetErased(db, ERASED);
  const missing = await missingSegments(db, BATCH);
  for (const id of missing) await buildSegment(db, id);
  return missing.length === BATCH || erased === ERASED;
}
