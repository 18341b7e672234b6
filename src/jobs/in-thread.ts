import type { Pool } from "pg";
import { settingsOf } from "../db/same-connection.ts";
import { startThread, type Thread } from "../db/thread.ts";
import type { Logger } from "../log.ts";
import { type RunningJob, schedule } from "./schedule.ts";

/** Milliseconds that a run under way has when the server stops. */
const ENDING_LIMIT = 5_000;

export interface ThreadJob<Result> {
  readonly name: string;
  /** Seconds between the end of a run and the start of the next. */
  readonly interval: number;
  /** The file of the thread. It calls `serveThread`, and does one run for each task. */
  readonly file: URL;
  /** Called with the result of a run. Returns whether more work is due. */
  readonly done: (result: Result) => boolean;
}

/** Runs a job in a thread with a connection of its own, where the job takes time for which no request should wait. */
export function scheduleInThread<Result>(
  { name, interval, file, done }: ThreadJob<Result>,
  pool: Pool,
  log: Pick<Logger, "warn">,
): RunningJob {
  let thread: Thread<"run", Result> | undefined;

  async function start(): Promise<Thread<"run", Result>> {
    const client = await pool.connect();
    try {
      return startThread(file, await settingsOf(pool, client));
    } finally {
      client.release();
    }
  }

  async function end(): Promise<void> {
    const ending = thread;
    thread = undefined;
    await ending?.close();
  }

  async function run(): Promise<boolean> {
    try {
      thread ??= await start();
      return done(await thread.run("run"));
    } catch (error) {
      // Its connection may be lost: the next run has another thread.
      await end();
      throw error;
    }
  }

  const job = schedule({ name, interval, run }, log);
  return {
    async stop() {
      // A run over a dead connection is abandoned; what it did so far is kept.
      const timer = setTimeout(() => void end(), ENDING_LIMIT);
      await job.stop();
      clearTimeout(timer);
      await end();
    },
  };
}
