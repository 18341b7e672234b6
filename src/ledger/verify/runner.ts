import type { ClientBase } from "pg";
import type { ConnectionSettings } from "../../db/same-connection.ts";
import { startThread as start, type Thread } from "../../db/thread.ts";
import { checkPiece, type PieceResult, type PieceTask } from "./check-piece.ts";

/** Checks pieces, one after the other. */
export interface Runner extends Thread<PieceTask, PieceResult> {
  /** Whether it has its own connection, so that it runs concurrently with others. */
  readonly apart: boolean;
}

/** Checks pieces here, between other work, on a connection that is somebody else's. */
export function startHere(client: ClientBase): Runner {
  return { apart: false, run: (task) => checkPiece(client, task), close: () => Promise.resolve() };
}

/** Checks pieces in a thread with its own connection. */
export function startThread(settings: ConnectionSettings): Runner {
  return { apart: true, ...start<PieceTask, PieceResult>(new URL("./thread.ts", import.meta.url), settings) };
}
