import type { BaseLogger } from "pino";

/** What this layer needs of a logger; the application passes its pino logger. */
export type Log = Pick<BaseLogger, "debug" | "info" | "warn" | "error">;
