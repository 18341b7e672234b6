import type { Actions } from "../domain/actions/actions.ts";
import { asError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type RunningJob, schedule } from "./schedule.ts";

/** Small, so that a backlog is worked off between ordinary appends and servers that sweep together seldom collide. */
const BATCH = 64;

export interface SweepOptions {
  readonly actions: Pick<Actions, "settleDue">;
  /** Seconds between sweeps. */
  readonly interval: number;
  readonly log: Pick<Logger, "warn" | "info" | "error">;
}

/** Deadlines of actions: PENDING past its time becomes EXPIRED, EXECUTING past its time AMBIGUOUS. */
export function startSweep({ actions, interval, log }: SweepOptions): RunningJob {
  async function run(): Promise<boolean> {
    const { expired, ambiguous, failed, more } = await actions.settleDue(BATCH);
    if (expired + ambiguous > 0) log.info({ expired, ambiguous }, "deadlines of actions have passed");
    const [first] = failed;
    if (first !== undefined) {
      const { ledger, id, error } = first;
      log.error(
        { failed: failed.length, ledger, action: id, err: asError(error) },
        "deadlines of actions have passed, but their state could not be moved; verify the ledger",
      );
    }
    return more;
  }
  return schedule({ name: "sweep", interval, run }, log);
}
