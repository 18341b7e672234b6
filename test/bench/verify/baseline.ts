import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { LedgerId } from "../../../src/facts/entry.ts";

/** What a verification is measured against: reading rows and hashing their bytes, and nothing else. */
export type Baseline =
  /** Whole rows as an ordinary client reads them, SHA-256 of entry and payload. */
  | "rows"
  /** The same rows in binary, as a verification reads them. */
  | "copy"
  /** Nothing is read out: PostgreSQL takes the SHA-256 itself. */
  | "sql";

/** A part of a ledger for a thread: what it is and how it is read. */
export interface Part {
  readonly baseline: Baseline;
  readonly ledger: LedgerId;
  readonly from: bigint;
  readonly to: bigint;
}

export interface BaselineThread {
  run(part: Part): Promise<number>;
  close(): Promise<void>;
}

export async function startBaseline(url: string): Promise<BaselineThread> {
  const worker = new Worker(new URL("./baseline-thread.ts", import.meta.url), { workerData: url });
  await once(worker, "message");
  return {
    async run(part) {
      worker.postMessage(part);
      const [entries] = (await once(worker, "message")) as [number];
      return entries;
    },
    async close() {
      const exit = once(worker, "exit");
      worker.postMessage("end");
      await exit;
    },
  };
}
