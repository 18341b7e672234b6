import { CloseCode, type Server } from "graphql-ws";
import type { RawData, WebSocket } from "ws";
import { closeReason } from "./close-reason.ts";
import { parseStrictJson, StrictJsonError } from "./strict-json.ts";

/** Bytes that may wait to be sent on one connection. */
export const MAX_BUFFERED = 4 * 1024 * 1024;

export interface SocketOptions {
  /** Milliseconds between pings; a client that did not respond to one before the next is disconnected. */
  readonly pingInterval: number;
  /** Milliseconds one message may take to leave; a client that reads slower is closed. */
  readonly sendTimeout: number;
  readonly onSlow: () => void;
  readonly onError: (error: unknown) => void;
}

/** RFC 6455, section 7.4.1: come back later. Clients of graphql-transport-ws do. */
export const TRY_AGAIN_LATER = 1013;

/** Binds a connection to the protocol, with strict JSON and bounded buffers. `extra` is passed to the protocol. */
export function serveSocket<Extra>(
  server: Server<Extra>,
  socket: WebSocket,
  extra: Extra,
  options: SocketOptions,
): void {
  const { pingInterval, sendTimeout, onSlow, onError } = options;
  let alive = true;
  const pings = setInterval(() => {
    if (!alive) return socket.terminate();
    alive = false;
    socket.ping();
  }, pingInterval);
  socket.on("pong", () => {
    alive = true;
  });
  // An error closes the connection; other causes are in the close code.
  socket.on("error", onError);

  const closeSlow = () => {
    if (socket.readyState !== socket.OPEN) return;
    onSlow();
    socket.close(TRY_AGAIN_LATER, "You read too slowly");
    // A client that does not read does not see that either.
    socket.terminate();
  };

  const send = (data: string): Promise<void> =>
    new Promise((resolve) => {
      if (socket.readyState !== socket.OPEN) return resolve();
      if (socket.bufferedAmount > MAX_BUFFERED) {
        closeSlow();
        return resolve();
      }
      const late = setTimeout(closeSlow, sendTimeout);
      // Failing to send closes the connection, which is how everybody learns of it.
      socket.send(data, () => {
        clearTimeout(late);
        resolve();
      });
    });

  const closed = server.opened(
    {
      protocol: socket.protocol,
      send,
      close: (code, reason) => socket.close(code, closeReason(reason ?? "")),
      onMessage: (handle) => {
        socket.on("message", (data, isBinary) => {
          const { problem, message } = read(data, isBinary);
          if (problem !== undefined) return socket.close(CloseCode.BadRequest, closeReason(problem));
          // Parsed here: the library would parse text itself, and accepts a parsed message (see parse-json.ts).
          handle(message as string).catch((error: unknown) => {
            onError(error);
            socket.close(CloseCode.InternalServerError, "Internal server error");
          });
        });
      },
    },
    extra,
  );
  socket.once("close", (code, reason) => {
    clearInterval(pings);
    closed(code, String(reason)).catch(onError);
  });
}

/** Errors of the client that the protocol library reports as faults of the server. */
const SERVER_TYPES: readonly unknown[] = ["connection_ack", "next", "error"];

/** Characters (UTF-16 code units) of an operation's id. Clients use UUIDs or numbers; the id is in every message about it. */
const MAX_OPERATION_ID = 128;

/** A message, or why it is refused. */
function read(data: RawData, isBinary: boolean): { readonly problem?: string; readonly message?: unknown } {
  if (isBinary) return { problem: "Messages are text" };
  try {
    const message = parseStrictJson(String(data));
    // The library would parse a string once more.
    if (typeof message === "string") return { problem: "Message is expected to be an object, but got string" };
    const type = typeof message === "object" && message !== null && "type" in message ? message.type : undefined;
    if (SERVER_TYPES.includes(type)) return { problem: "Messages of this type come from the server" };
    const id = typeof message === "object" && message !== null && "id" in message ? message.id : undefined;
    if (typeof id === "string" && id.length > MAX_OPERATION_ID) {
      return { problem: `The id of an operation has at most ${MAX_OPERATION_ID} characters` };
    }
    return { message };
  } catch (error) {
    if (error instanceof StrictJsonError) return { problem: error.message };
    throw error;
  }
}
