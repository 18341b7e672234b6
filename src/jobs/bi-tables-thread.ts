import { setPriority } from "node:os";
import { serveThread } from "../db/serve-thread.ts";
import { keepReports } from "../ledger/reporting/keep.ts";

/** The thread of the tables for BI tools: each task is one run. `bi-tables.ts` starts and ends it. */

// On Linux this is the priority of the calling thread alone, setpriority(2): on a busy machine, requests come first.
if (process.platform === "linux") setPriority(10);
serveThread((client) => keepReports(client));
