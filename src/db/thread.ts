import { Worker } from "node:worker_threads";
import type { ConnectionSettings } from "./same-connection.ts";

/** A worker thread with a connection of its own, which does one task after the other. */
export interface Thread<Task, Result> {
  run(task: Task): Promise<Result>;
  /** Ends the thread, and abandons its current task. */
  close(): Promise<void>;
}

/** A message to a thread. */
export type Order<Task> = { readonly task: Task } | "end";

/** The reply of a thread to a task. */
export type Reply<Result> = { readonly result: Result } | { readonly error: CarriedError };

/** An error as it goes from thread to thread: structured cloning would lose its code. */
export interface CarriedError {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly stack: string | undefined;
}

/** Milliseconds in which a thread closes its connection politely. */
const ENDING_LIMIT = 2_000;

/** Starts a thread of `file`, which calls `serveThread` (serve-thread.ts). Tasks and results are cloned. */
export function startThread<Task, Result>(file: URL, settings: ConnectionSettings): Thread<Task, Result> {
  const worker = new Worker(file, { workerData: settings });
  let waiting: { readonly resolve: (result: Result) => void; readonly reject: (error: unknown) => void } | undefined;
  let ended: Error | undefined;
  const fail = (error: Error) => {
    ended ??= error;
    waiting?.reject(ended);
    waiting = undefined;
  };
  worker.on("message", (reply: Reply<Result>) => {
    const task = waiting;
    waiting = undefined;
    if ("error" in reply) task?.reject(revive(reply.error));
    else task?.resolve(reply.result);
  });
  worker.on("error", (error) => fail(error instanceof Error ? error : new Error(String(error))));
  const exited = new Promise<void>((resolve) => {
    worker.on("exit", () => {
      fail(new Error("the worker thread ended"));
      resolve();
    });
  });
  return {
    run: (task) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) return reject(ended);
        waiting = { resolve, reject };
        worker.postMessage({ task } satisfies Order<Task>);
      }),
    async close() {
      if (waiting !== undefined) await worker.terminate();
      else worker.postMessage("end" satisfies Order<Task>);
      // The other side of a dead connection never closes it.
      const timer = setTimeout(() => void worker.terminate(), ENDING_LIMIT);
      await exited;
      clearTimeout(timer);
    },
  };
}

function revive({ name, message, code, stack }: CarriedError): Error {
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return Object.assign(error, { name }, code === undefined ? {} : { code });
}
