import { parentPort, workerData } from "node:worker_threads";
import { type ConnectionSettings, connectAs } from "../../db/same-connection.ts";
import { asError } from "../../errors.ts";
import { checkPiece, type PieceTask } from "./check-piece.ts";
import type { CarriedError, Order, PieceReply } from "./runner.ts";

/** A thread of a verification: connects, and checks one piece after the other. `runner.ts` starts and ends it. */

const port = parentPort;
if (port === null) throw new Error("this file is run as a worker thread");

const connected = connectAs(workerData as ConnectionSettings);
// A failure to connect is the reply to the first order.
connected.catch(() => undefined);

port.on("message", async (order: Order) => {
  if (order !== "end") return port.postMessage(await reply(order));
  port.close();
  await connected.then(
    (client) => client.end(),
    () => undefined,
  );
});

async function reply(task: PieceTask): Promise<PieceReply> {
  try {
    return { result: await checkPiece(await connected, task) };
  } catch (error) {
    return { error: carry(asError(error)) };
  }
}

function carry(error: Error): CarriedError {
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  return { name: error.name, message: error.message, code, stack: error.stack };
}
