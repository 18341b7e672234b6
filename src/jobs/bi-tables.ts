import type { Pool } from "pg";
import type { Kept } from "../ledger/reporting/keep.ts";
import type { Logger } from "../log.ts";
import { scheduleInThread } from "./in-thread.ts";
import type { RunningJob } from "./schedule.ts";

/** Seconds between queries for entries that the tables do not have. */
const INTERVAL = 2;

/** Keeps the tables of schema `oc_bi` up with the ledgers. In a thread, since each entry is hashed and checked again. */
export function startBiTables({ pool, log }: { readonly pool: Pool; readonly log: Pick<Logger, "warn"> }): RunningJob {
  const file = new URL("./bi-tables-thread.ts", import.meta.url);
  function done({ more, stopped }: Kept): boolean {
    for (const { ledger, problem } of stopped) {
      log.warn({ ledger, problem }, "tables for BI tools do not go on with a ledger that is damaged: verify it");
    }
    return more;
  }
  return scheduleInThread<Kept>({ name: "tables for BI tools", interval: INTERVAL, file, done }, pool, log);
}
