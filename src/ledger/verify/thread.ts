import { serveThread } from "../../db/serve-thread.ts";
import { checkPiece } from "./check-piece.ts";

/** A thread of a verification: checks one piece after the other. `runner.ts` starts and ends it. */
serveThread(checkPiece);
