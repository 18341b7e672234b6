import { asError } from "../errors.ts";
import type { Logger } from "../log.ts";

export interface Job {
  readonly name: string;
  /** Seconds between the end of a run and the start of the next. */
  readonly interval: number;
  /** Seconds until the run after a failed one; twice as many after each further failure, up to `interval`. Default: 5. */
  readonly retry?: number;
  /** One run. Returns true when more work is due; then the next run follows immediately. */
  readonly run: () => Promise<boolean>;
}

export interface RunningJob {
  /** Resolves when the run under way has ended; none follows. */
  stop(): Promise<void>;
}

const FIRST_RETRY = 5;
/** Share of the interval by which each wait may be shorter or longer, so that servers do not keep step. */
const JITTER = 0.2;

/** Runs `job` from now on. A failed run is logged and tried again soon. */
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

async function repeat(
  { name, interval, retry = FIRST_RETRY, run }: Job,
  log: Pick<Logger, "warn">,
  stop: AbortSignal,
): Promise<void> {
  let failures = 0;
  while (!stop.aborted) {
    let more = false;
    try {
      more = await run();
      failures = 0;
    } catch (error) {
      log.warn({ job: name, err: asError(error) }, "a job failed and will be tried again");
      failures += 1;
    }
    const wait = failures === 0 ? interval : Math.min(interval, retry * 2 ** (failures - 1));
    const factor = 1 - JITTER + 2 * JITTER * Math.random();
    await pause(more ? 0 : wait * factor * 1000, stop);
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
