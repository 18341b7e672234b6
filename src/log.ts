import { type Logger, pino } from "pino";
import { asError } from "./errors.ts";

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
    // An error of a driver carries its whole connection; a log line needs what happened, where, and the code.
    serializers: { err: describeError, error: describeError },
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: REDACTED_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
      censor: "[redacted]",
    },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

function describeError(error: unknown): Record<string, unknown> {
  const { name, message, stack, cause } = asError(error);
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return { type: name, message, code, stack, ...(cause === undefined ? {} : { cause: asError(cause).message }) };
}
