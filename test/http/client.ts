import { WebSocket } from "ws";

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
  // biome-ignore lint/suspicious/noExplicitAny: payloads are whatever the protocol carries; tests assert what they are
  readonly payload?: any;
}

export async function openSocket(
  url: string,
  options: { readonly headers?: Record<string, string>; readonly protocol?: string } = {},
): Promise<RawClient> {
  const socket = new WebSocket(url, options.protocol ?? "graphql-transport-ws", { headers: options.headers ?? {} });
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

/** A connection that was acknowledged. */
export async function connect(url: string, token: string): Promise<RawClient> {
  const client = await openSocket(url);
  client.send({ type: "connection_init", payload: { authorization: `Bearer ${token}` } });
  await client.next(({ type }) => type === "connection_ack");
  return client;
}
