import { type Logger, pino } from "pino";

export type { Logger } from "pino";

/**
 * Keys whose values never reach a log line, at any of the depths our own calls use. Values a person or an agent typed
 * (arguments, notes, results) belong in the ledger's erasable payload and nowhere else.
 */
export const REDACTED_KEYS = [
  "authorization",
  "cookie",
  "token",
  "password",
  "secret",
  "arguments",
  "result",
  "note",
  "userRequest",
  "rationale",
  "rendered",
  "email",
  "connectionString",
] as const;

/** Structured JSON lines on stdout (or `destination`), one event a line. */
export function createLogger(level: string, destination?: { write(line: string): void }): Logger {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: REDACTED_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
      censor: "[redacted]",
    },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
