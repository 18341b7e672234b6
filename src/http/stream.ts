import type { IncomingMessage, ServerResponse } from "node:http";

/** Whether the client accepts a stream of events. */
export function wantsStream({ headers }: IncomingMessage): boolean {
  return (headers.accept ?? "").toLowerCase().includes("text/event-stream");
}

/** A function that calls `work` at its first call, and returns the same value from then on. */
export function once<Value>(work: () => Value): () => Value {
  let done: { readonly value: Value } | undefined;
  return () => {
    done ??= { value: work() };
    return done.value;
  };
}

/** Calls `work` when the response is closed; immediately if it already is. */
export function whenClosed(response: ServerResponse, work: () => void): void {
  if (response.closed) work();
  else response.once("close", work);
}

/**
 * Closes a stream when its client has read nothing for `milliseconds` although data was pending. The pending data is bounded:
 * nothing is read from the ledger for a stream that is not drained. Yoga switches off the time-out of a stream's socket, which
 * does this for other responses.
 */
export function cutWhenSlow(response: ServerResponse, milliseconds: number, onSlow: () => void): void {
  let written = -1;
  const look = setInterval(() => {
    const now = response.socket?.bytesWritten ?? 0;
    const pending = response.writableNeedDrain || (response.socket?.writableLength ?? 0) > 0;
    if (pending && now === written) {
      onSlow();
      response.destroy();
    }
    written = now;
  }, milliseconds);
  response.once("close", () => clearInterval(look));
}
