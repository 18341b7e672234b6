import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import type { AnswerError } from "./harness.ts";

/** A client that speaks graphql-transport-ws message by message, so that tests can also speak it wrongly. */
export interface RawClient {
  readonly socket: WebSocket;
  readonly messages: readonly Message[];
  send(message: unknown): void;
  /** The first message that `matches`, past or to come. */
  next(matches: (message: Message) => boolean): Promise<Message>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

export interface Message {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

/** What a "next" brings, as the test takes it to be. */
export function dataOf<Data>({ payload }: Message): Data {
  return (payload as { readonly data: Data }).data;
}

/** Codes of the errors that an "error", or else a "next", brings. */
export function codesOf({ type, payload }: Message): readonly string[] {
  const errors = type === "error" ? payload : (payload as { readonly errors?: unknown }).errors;
  return ((errors ?? []) as readonly AnswerError[]).map(({ extensions }) => extensions.code);
}

export async function openSocket(
  url: string,
  options: { readonly headers?: Record<string, string>; readonly protocol?: string; readonly ca?: string } = {},
): Promise<RawClient> {
  const socket = new WebSocket(url, options.protocol ?? "graphql-transport-ws", {
    headers: options.headers ?? {},
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  });
  const messages: Message[] = [];
  const waiting = new Set<() => void>();
  socket.on("message", (data) => {
    messages.push(JSON.parse(String(data)) as Message);
    for (const wake of waiting) wake();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on("close", (code, reason) => {
      resolve({ code, reason: String(reason) });
      for (const wake of waiting) wake();
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.on("open", resolve);
    socket.on("error", reject);
    socket.on("unexpected-response", (_request, response) => reject(new Error(`refused: ${response.statusCode}`)));
  });
  return {
    socket,
    messages,
    closed,
    send: (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message)),
    next: (matches) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = messages.find(matches);
          if (found === undefined && socket.readyState !== WebSocket.CLOSED) return;
          waiting.delete(look);
          if (found === undefined) reject(new Error(`closed; came: ${JSON.stringify(messages)}`));
          else resolve(found);
        };
        waiting.add(look);
        look();
      }),
  };
}

/**
 * The code of the close frame (RFC 6455, 5.5.1) that answers an upgrade with `protocol`. Read from the bytes: a client
 * library closes by itself, with a code of its own, when the server picks none of its protocols.
 */
export async function closeCodeOf(url: string, protocol: string | undefined): Promise<number> {
  const upgrade = request(url.replace("ws", "http"), {
    headers: {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": randomBytes(16).toString("base64"),
      ...(protocol === undefined ? {} : { "sec-websocket-protocol": protocol }),
    },
  });
  upgrade.end();
  const [, stream, head] = (await once(upgrade, "upgrade")) as [unknown, Socket, Buffer];
  let frame = head;
  while (frame.length < 4) {
    const [bytes] = (await once(stream, "data")) as [Buffer];
    frame = Buffer.concat([frame, bytes]);
  }
  stream.destroy();
  if (frame[0] !== 0x88) throw new Error(`no close frame: ${frame.toString("hex")}`);
  return frame.readUInt16BE(2);
}

/** A connection that was acknowledged. `ca` is the root of the server's certificate, in PEM. */
export async function connect(url: string, token: string, options: { readonly ca?: string } = {}): Promise<RawClient> {
  const client = await openSocket(url, options);
  client.send({ type: "connection_init", payload: { authorization: `Bearer ${token}` } });
  await client.next(({ type }) => type === "connection_ack");
  return client;
}
