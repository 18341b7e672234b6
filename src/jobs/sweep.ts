import type { Actions } from "../domain/actions/actions.ts";
import type { Sessions } from "../domain/sessions/sessions.ts";
import { asError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type RunningJob, schedule } from "./schedule.ts";

/** Small, so that a backlog is worked off between ordinary appends and servers that sweep together seldom collide. */
const BATCH = 64;

export interface SweepOptions {
  readonly actions: Pick<Actions, "settleDue">;
  readonly sessions: Pick<Sessions, "settleDue">;
  /** Seconds between sweeps. */
  readonly interval: number;
  readonly log: Pick<Logger, "warn" | "info" | "error">;
}

interface Failure {
  readonly ledger: string;
  readonly id: string;
  readonly error: unknown;
}

/**
 * Deadlines: PENDING past its time becomes EXPIRED, EXECUTING past its time AMBIGUOUS, and a session past its time is
 * ended.
 */
export function startSweep({ actions, sessions, interval, log }: SweepOptions): RunningJob {
  function complain(of: "action" | "session", failed: readonly Failure[]): void {
    const [first] = failed;
    if (first === undefined) return;
    const { ledger, id, error } = first;
    log.error(
      { failed: failed.length, ledger, [of]: id, err: asError(error) },
      `deadlines of ${of}s have passed, but their state could not be moved; verify the ledger`,
    );
  }

  async function sweepActions(): Promise<boolean> {
    const { expired, ambiguous, failed, more } = await actions.settleDue(BATCH);
    if (expired + ambiguous > 0) log.info({ expired, ambiguous }, "deadlines of actions have passed");
    complain("action", failed);
    return more;
  }

  async function sweepSessions(): Promise<boolean> {
    const { expired, failed, more } = await sessions.settleDue(BATCH);
    if (expired > 0) log.info({ sessions: expired }, "sessions have expired");
    complain("session", failed);
    return more;
  }

  // A job each: what one of them meets neither ends nor delays the other.
  const jobs = [
    schedule({ name: "sweep actions", interval, run: sweepActions }, log),
    schedule({ name: "sweep sessions", interval, run: sweepSessions }, log),
  ];
  return {
    async stop() {
      await Promise.all(jobs.map((job) => job.stop()));
    },
  };
}
