import type { Pool } from "pg";
import { DEFAULT_SESSION_WINDOW } from "../domain/actions/actions.ts";
import { deleteOldShown } from "../domain/actions/loading/first-shown.ts";
import { deleteOverSessions } from "../domain/identity/browser/provider-session-store.ts";
import { deleteOver } from "../domain/identity/used-once.ts";
import { deleteOldFingerprints } from "../domain/lineage/sources/recorder.ts";
import type { Logger } from "../log.ts";
import { type RunningJob, schedule } from "./schedule.ts";

const INTERVAL_SECONDS = 10;
/** Rows of one statement, so that none takes long. */
const BATCH = 5_000;
/** Sets can be large. */
const FINGERPRINTS = 500;

/**
 * Deletes proofs, nonces and states that are over, so that they do not count towards capacities, tokens of sessions that are over, when
 * actions were shown that nobody decides any more, and fingerprints of what nobody draws on any more.
 */
export function startForgetting({
  pool,
  log,
}: {
  readonly pool: Pool;
  readonly log: Pick<Logger, "warn">;
}): RunningJob {
  async function run(): Promise<boolean> {
    const more = [
      await deleteOver(pool, BATCH),
      await deleteOverSessions(pool, BATCH),
      await deleteOldShown(pool, BATCH),
      await deleteOldFingerprints(pool, DEFAULT_SESSION_WINDOW, FINGERPRINTS),
    ];
    return more.includes(true);
  }
  return schedule({ name: "used once", interval: INTERVAL_SECONDS, run }, log);
}
