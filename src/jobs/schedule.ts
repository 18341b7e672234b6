import { asError } from "../errors.ts";
import type { Logger } from "../log.ts";

export interface Job {
  readonly name: string;
  /** Seconds between the end of a run and the start of the next. */
  readonly interval: number;
  /** One run. Returns true when more work is due; then the next run follows immediately. */
  readonly run: () => Promise<boolean>;
}

export interface RunningJob {
  /** Resolves when the run under way has ended; none follows. */
  stop(): Promise<void>;
}

/** Share of the interval by which each wait may be shorter or longer, so that servers do not keep step. */
const JITTER = 0.2;

/** Runs `job` from now on. A failed run is logged and the next comes as usual. */
export function schedule(job: Job, log: Pick<Logger, "warn">): RunningJob {
  const stopped = new AbortController();
  const ended = repeat(job, log, stopped.signal);
  return {
    async stop() {
      stopped.abort();
      await ended;
    },
  };
}

async function repeat({ name, interval, run }: Job, log: Pick<Logger, "warn">, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    let more = false;
    try {
      more = await run();
    } catch (error) {
      log.warn({ job: name, err: asError(error) }, "a job failed and will be tried again");
    }
    const factor = 1 - JITTER + 2 * JITTER * Math.random();
    await pause(more ? 0 : interval * factor * 1000, stop);
  }
}

/** Waits, without keeping the process alive for it. */
function pause(milliseconds: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve();
    const timer = setTimeout(done, milliseconds).unref();
    function done() {
      clearTimeout(timer);
      stop.removeEventListener("abort", done);
      resolve();
    }
    stop.addEventListener("abort", done);
  });
}
