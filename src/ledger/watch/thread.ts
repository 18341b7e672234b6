import { setPriority } from "node:os";
import { serveThread } from "../../db/serve-thread.ts";
import { checkPiece } from "../verify/check-piece.ts";

/** The thread of the watcher: checks one piece after the other. `runner.ts` starts and ends it. */

// On Linux this is the priority of the calling thread alone, setpriority(2): on a busy machine, requests come first.
if (process.platform === "linux") setPriority(10);
serveThread(checkPiece);
