import type { Pool } from "pg";
import { settingsOf } from "../db/same-connection.ts";
import { startThread, type Thread } from "../db/thread.ts";
import type { Queryable } from "../ledger/read.ts";
import { buildSegment, forgetErased, missingSegments } from "../ledger/search/build.ts";
import type { Logger } from "../log.ts";
import { type RunningJob, schedule } from "./schedule.ts";

/** Seconds between queries for entries that are not in the index. Searches read these one by one. */
const INTERVAL = 2;
/** Small, so that the servers of a database share a backlog. */
const BATCH = 2;
/** Milliseconds that a run under way has when the server stops. */
const ENDING_LIMIT = 5_000;
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
  let thread: Thread<"index", boolean> | undefined;

  async function end(): Promise<void> {
    const ending = thread;
    thread = undefined;
    await ending?.close();
  }

  async function run(): Promise<boolean> {
    try {
      thread ??= await startIndexThread(pool);
      return await thread.run("index");
    } catch (error) {
      // Its connection may be lost: the next run has another thread.
      await end();
      throw error;
    }
  }

  const job = schedule({ name: "search index", interval: INTERVAL, run }, log);
  return {
    async stop() {
      // A run over a dead connection is abandoned; what it built so far is kept.
      const timer = setTimeout(() => void end(), ENDING_LIMIT);
      await job.stop();
      clearTimeout(timer);
      await end();
    },
  };
}

async function startIndexThread(pool: Pool): Promise<Thread<"index", boolean>> {
  const client = await pool.connect();
  try {
    return startThread(new URL("./search-index-thread.ts", import.meta.url), await settingsOf(pool, client));
  } finally {
    client.release();
  }
}

/** One run. Returns whether more is left to do. */
export async function indexSome(db: Queryable): Promise<boolean> {
  const erased = await forgetErased(db, ERASED);
  const missing = await missingSegments(db, BATCH);
  for (const id of missing) await buildSegment(db, id);
  return missing.length === BATCH || erased === ERASED;
}
