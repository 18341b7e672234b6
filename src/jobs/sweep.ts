import type { Actions } from "../domain/actions/actions.ts";
import type { Logger } from "../log.ts";
import { type RunningJob, schedule } from "./schedule.ts";

/** Small, so that a backlog is worked off between ordinary appends and servers that sweep together seldom collide. */
const BATCH = 64;

export interface SweepOptions {
  readonly actions: Pick<Actions, "settleDue">;
  /** Seconds between sweeps. */
  readonly interval: number;
  readonly log: Pick<Logger, "warn" | "info">;
}

/** Deadlines of actions: PENDING past its time becomes EXPIRED, EXECUTING past its time AMBIGUOUS. */
export function startSweep({ actions, interval, log }: SweepOptions): RunningJob {
  async function run(): Promise<boolean> {
    const { found, expired, ambiguous } = await actions.settleDue(BATCH);
    if (expired + ambiguous > 0) log.info({ expired, ambiguous }, "deadlines of actions have passed");
    return found === BATCH;
  }
  return schedule({ name: "sweep", interval, run }, log);
}
