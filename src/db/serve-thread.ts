import { parentPort, workerData } from "node:worker_threads";
import type { ClientBase } from "pg";
import { asError } from "../errors.ts";
import { type ConnectionSettings, connectAs } from "./same-connection.ts";
import type { CarriedError, Order, Reply } from "./thread.ts";

/** The side of the thread: connects, and does one task after the other. `startThread` (thread.ts) starts and ends it. */
export function serveThread<Task, Result>(work: (client: ClientBase, task: Task) => Promise<Result>): void {
  const port = parentPort;
  if (port === null) throw new Error("this file is run as a worker thread");

  const connected = connectAs(workerData as ConnectionSettings);
  // A failure to connect is the reply to the first order.
  connected.catch(() => undefined);

  async function reply(task: Task): Promise<Reply<Result>> {
    try {
      return { result: await work(await connected, task) };
    } catch (error) {
      return { error: carry(asError(error)) };
    }
  }

  port.on("message", async (order: Order<Task>) => {
    if (order !== "end") return port.postMessage(await reply(order.task));
    port.close();
    await connected.then(
      (client) => client.end(),
      () => undefined,
    );
  });
}

function carry(error: Error): CarriedError {
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  return { name: error.name, message: error.message, code, stack: error.stack };
}
