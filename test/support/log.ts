import type { Log } from "../../src/db/log.ts";

/** Discards everything. */
export const silent: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};

/** Keeps the messages, in order. */
export function recordingLog(): Log & { readonly messages: readonly string[] } {
  const messages: string[] = [];
  const write = (first: unknown, second?: unknown) => {
    messages.push(String(second ?? first));
  };
  return { messages, debug: write, info: write, warn: write, error: write };
}
