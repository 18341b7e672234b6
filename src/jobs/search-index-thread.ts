import { setPriority } from "node:os";
import { serveThread } from "../db/serve-thread.ts";
import { indexSome } from "./search-index.ts";

/** The thread of the search index: each task is one run. `search-index.ts` starts and ends it. */

// On Linux this is the priority of the calling thread alone, setpriority(2): on a busy machine, requests come first.
if (process.platform === "linux") setPriority(10);
serveThread(indexSome);
