import type { IncomingMessage, ServerResponse } from "node:http";

/** Whether the answer may go on for as long as the client stays. */
export function wantsStream({ headers }: IncomingMessage): boolean {
  return (headers.accept ?? "").toLowerCase().includes("text/event-stream");
}

/** `work`, done when it is first asked for, and answered the same from then on. */
export function once<Value>(work: () => Value): () => Value {
  let done: { readonly value: Value } | undefined;
  return () => {
    done ??= { value: work() };
    return done.value;
  };
}

/** Does `work` when the response is closed: at once if it is already, since its event does not come again. */
export function whenClosed(response: ServerResponse, work: () => void): void {
  if (response.closed) work();
  else response.once("close", work);
}

/**
 * Cuts a stream whose client has read nothing for `milliseconds` while there was something to read. What waits meanwhile is
 * bounded: nothing is read from the ledger for a stream that is not drained.
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
