import type { Pool } from "pg";
import { settingsOf } from "../../db/same-connection.ts";
import { startThread, type Thread } from "../../db/thread.ts";
import type { PieceResult, PieceTask } from "../verify/check-piece.ts";
import type { Runner } from "../verify/runner.ts";
import type { Pace } from "./pace.ts";

/** Checks pieces in a thread of low priority that is started with the first, and again after a failure. */
export interface WatchRunner {
  /** Checks at once. For work that was paced already; not concurrently with itself. */
  check(task: PieceTask): Promise<PieceResult>;
  /** Checks each piece when the pace has room for it. */
  readonly paced: Runner;
  close(): Promise<void>;
}

/** @param pool made from a connection string. The thread opens a connection of its own with the same settings. */
export function createWatchRunner(pool: Pool, pace: Pace): WatchRunner {
  let thread: Promise<Thread<PieceTask, PieceResult>> | undefined;

  async function start(): Promise<Thread<PieceTask, PieceResult>> {
    const client = await pool.connect();
    try {
      return startThread(new URL("./thread.ts", import.meta.url), await settingsOf(pool, client));
    } finally {
      client.release();
    }
  }

  async function end(): Promise<void> {
    const ending = thread;
    thread = undefined;
    const started = await ending?.catch(() => undefined);
    await started?.close();
  }

  async function check(task: PieceTask): Promise<PieceResult> {
    thread ??= start();
    try {
      return await (await thread).run(task);
    } catch (error) {
      // Its connection may be lost, or in the middle of a transaction: the next piece has another thread.
      await end().catch(() => undefined);
      throw error;
    }
  }

  return {
    check,
    paced: { apart: true, run: (task) => pace.take(() => check(task)), close: () => Promise.resolve() },
    close: end,
  };
}
