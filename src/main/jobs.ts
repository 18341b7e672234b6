import type { Database } from "../db/database.ts";
import type { Actions } from "../domain/actions/actions.ts";
import type { Sessions } from "../domain/sessions/sessions.ts";
import { startBiTables } from "../jobs/bi-tables.ts";
import { startPartitions } from "../jobs/partitions.ts";
import { startReaderLimits } from "../jobs/reader-limits.ts";
import { startSearchIndex } from "../jobs/search-index.ts";
import { startSweep } from "../jobs/sweep.ts";
import { startForgetting } from "../jobs/used-once.ts";
import type { Start } from "./start.ts";

/**
 * What happens without a caller: deadlines that pass, partitions for the months to come, the search index, tables for BI tools, what may be
 * used once, limits of readers.
 */
export function startJobs(
  { config, log, closing }: Start,
  { jobPool: pool }: Database,
  actions: Actions,
  sessions: Sessions,
): void {
  const sweep = startSweep({ actions, sessions, interval: config.sweepInterval, log });
  closing.add(() => sweep.stop());
  const partitions = startPartitions({ pool, log });
  closing.add(() => partitions.stop());
  const forgetting = startForgetting({ pool, log });
  closing.add(() => forgetting.stop());
  const searchIndex = startSearchIndex({ pool, log });
  closing.add(() => searchIndex.stop());
  const biTables = startBiTables({ pool, log });
  closing.add(() => biTables.stop());
  const readerLimits = startReaderLimits({ pool, limits: config.readerLimits, log });
  closing.add(() => readerLimits.stop());
}
