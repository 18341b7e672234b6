import { CloseCode, type Server } from "graphql-ws";
import type { RawData, WebSocket } from "ws";
import { closeReason } from "./close-reason.ts";
import { parseStrictJson, StrictJsonError } from "./strict-json.ts";

export interface SocketOptions {
  /** Milliseconds between pings; a client that did not respond to one before the next is disconnected. */
  readonly pingInterval: number;
  /** Milliseconds one message may take to leave; a client that reads slower is closed. */
  readonly sendTimeout: number;
  /** Bytes that may wait to be sent. */
  readonly bufferedBytes: number;
  /** Counts bytes that wait to be sent until the returned function is called; `drop` closes the connection. */
  readonly hold: (bytes: number, drop: () => void) => () => void;
  readonly onSlow: () => void;
  readonly onError: (error: unknown) => void;
}

/** Pings of a client, in messages and frames together, that are accepted between two of the server's own. */
const MAX_PINGS = 20;

/** Bytes of the message that presents a token. */
const MAX_FIRST_MESSAGE = 32_768;

/** RFC 6455, section 7.4.1. */
const MESSAGE_TOO_BIG = 1009;

/** RFC 6455, section 7.4.1: the client breaks a rule that has no code of its own. */
const POLICY_VIOLATION = 1008;

/** RFC 6455, section 7.4.1: come back later. Clients of graphql-transport-ws do. */
export const TRY_AGAIN_LATER = 1013;

/** Binds a connection to the protocol, with strict JSON and bounded buffers. `extra` is passed to the protocol. */
export function serveSocket<Extra>(
  server: Server<Extra>,
  socket: WebSocket,
  extra: Extra,
  options: SocketOptions,
): void {
  const { pingInterval, sendTimeout, bufferedBytes, hold, onSlow, onError } = options;
  let alive = true;
  let initialised = false;
  let pinged = 0;
  const pings = setInterval(() => {
    pinged = 0;
    if (!alive) return socket.terminate();
    alive = false;
    socket.ping();
  }, pingInterval);
  socket.on("pong", () => {
    alive = true;
  });
  const notePing = () => {
    pinged += 1;
    if (pinged > MAX_PINGS) socket.close(POLICY_VIOLATION, "Too many pings");
  };
  socket.on("ping", notePing);
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
      if (socket.bufferedAmount > bufferedBytes) {
        closeSlow();
        return resolve();
      }
      const release = hold(Buffer.byteLength(data), () => socket.terminate());
      // Dropped at once, for what waited before.
      if (socket.readyState !== socket.OPEN) {
        release();
        return resolve();
      }
      const late = setTimeout(closeSlow, sendTimeout);
      // Failing to send closes the connection, which is how everybody learns of it.
      socket.send(data, () => {
        clearTimeout(late);
        release();
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
          // What arrives between our close frame and the client's.
          if (socket.readyState !== socket.OPEN) return;
          // A token has to fit into a header as well. Who has presented none has nothing else to say.
          if (!initialised && byteLength(data) > MAX_FIRST_MESSAGE) {
            return socket.close(MESSAGE_TOO_BIG, `The first message has at most ${MAX_FIRST_MESSAGE} bytes`);
          }
          const { problem, message, type } = read(data, isBinary);
          if (problem !== undefined) return socket.close(CloseCode.BadRequest, closeReason(problem));
          if (type === "connection_init") initialised = true;
          if (type === "ping" || type === "pong") {
            // A response to each would cost a caller nothing who has not even said who it is.
            if (!initialised) return socket.close(CloseCode.Unauthorized, "Send connection_init first");
            notePing();
          }
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

interface Read {
  /** Why the message is refused. */
  readonly problem?: string;
  readonly message?: unknown;
  /** Its `type`, whatever that is. */
  readonly type?: unknown;
}

function byteLength(data: RawData): number {
  return Array.isArray(data) ? data.reduce((sum, { length }) => sum + length, 0) : data.byteLength;
}

/** Reads a message of the protocol. */
function read(data: RawData, isBinary: boolean): Read {
  if (isBinary) return { problem: "Messages are text" };
  try {
    const message = parseStrictJson(String(data));
    // The library would parse a string once more.
    if (typeof message === "string") return { problem: "Message is expected to be an object, but got string" };
    const { type, id } = typeof message === "object" && message !== null ? (message as Record<string, unknown>) : {};
    if (SERVER_TYPES.includes(type)) return { problem: "Messages of this type come from the server" };
    if (typeof id === "string" && id.length > MAX_OPERATION_ID) {
      return { problem: `The id of an operation has at most ${MAX_OPERATION_ID} characters` };
    }
    return { message, type };
  } catch (error) {
    if (error instanceof StrictJsonError) return { problem: error.message };
    throw error;
  }
}
