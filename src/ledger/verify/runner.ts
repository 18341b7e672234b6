import { Worker } from "node:worker_threads";
import type { ClientBase } from "pg";
import type { ConnectionSettings } from "../../db/same-connection.ts";
import { checkPiece, type PieceResult, type PieceTask } from "./check-piece.ts";

/** Checks pieces, one after the other. */
export interface Runner {
  /** Whether it has its own connection, so that it runs concurrently with others. */
  readonly apart: boolean;
  run(task: PieceTask): Promise<PieceResult>;
  /** Ends it, and abandons its current task. */
  close(): Promise<void>;
}

/** A message to a thread. */
export type Order = PieceTask | "end";

/** The reply of a thread to a task. */
export type PieceReply = { readonly result: PieceResult } | { readonly error: CarriedError };

/** An error as it goes from thread to thread: structured cloning would lose its code. */
export interface CarriedError {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly stack: string | undefined;
}

/** Checks pieces here, between other work, on a connection that is somebody else's. */
export function startHere(client: ClientBase): Runner {
  return { apart: false, run: (task) => checkPiece(client, task), close: () => Promise.resolve() };
}

/** Checks pieces in a thread with its own connection. */
export function startThread(settings: ConnectionSettings): Runner {
  const worker = new Worker(new URL("./thread.ts", import.meta.url), { workerData: settings });
  let waiting:
    | { readonly resolve: (result: PieceResult) => void; readonly reject: (error: unknown) => void }
    | undefined;
  let ended: Error | undefined;
  const fail = (error: Error) => {
    ended ??= error;
    waiting?.reject(ended);
    waiting = undefined;
  };
  worker.on("message", (reply: PieceReply) => {
    const task = waiting;
    waiting = undefined;
    if ("error" in reply) task?.reject(revive(reply.error));
    else task?.resolve(reply.result);
  });
  worker.on("error", (error) => fail(error instanceof Error ? error : new Error(String(error))));
  const exited = new Promise<void>((resolve) => {
    worker.on("exit", () => {
      fail(new Error("a thread of the verification ended"));
      resolve();
    });
  });
  return {
    apart: true,
    run: (task) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) return reject(ended);
        waiting = { resolve, reject };
        worker.postMessage(task);
      }),
    async close() {
      if (waiting === undefined) worker.postMessage("end" satisfies Order);
      else await worker.terminate();
      await exited;
    },
  };
}

function revive({ name, message, code, stack }: CarriedError): Error {
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return Object.assign(error, { name }, code === undefined ? {} : { code });
}
