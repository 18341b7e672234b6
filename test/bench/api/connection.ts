import { once } from "node:events";
import { connect, type Socket } from "node:net";

/**
 * One kept-alive HTTP/1.1 connection that carries one request at a time. Bare sockets, because the generator shares the
 * machine with what it measures and must cost as little of it as possible.
 */
export interface Connection {
  /** Posts a JSON text and answers the parsed body. Rejects unless the status is 200. */
  post(body: string, token: string): Promise<unknown>;
  close(): void;
}

const headEnd = Buffer.from("\r\n\r\n");
const lastChunk = Buffer.from("\r\n0\r\n\r\n");

/** The body of a complete response, or undefined while some of it is still to come. */
function bodyOf(head: string, rest: Buffer): string | undefined {
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  if (length !== undefined) return rest.length >= Number(length) ? rest.toString("utf8", 0, Number(length)) : undefined;
  if (!rest.subarray(-lastChunk.length).equals(lastChunk)) return undefined;
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf("\r\n", at);
    const size = Number.parseInt(rest.toString("latin1", at, lineEnd), 16);
    if (size === 0) return Buffer.concat(parts).toString("utf8");
    parts.push(rest.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

interface Pending {
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
}

class SocketConnection implements Connection {
  readonly #socket: Socket;
  readonly #target: URL;
  #received: Buffer = Buffer.alloc(0);
  #pending: Pending | undefined;

  constructor(socket: Socket, target: URL) {
    this.#socket = socket;
    this.#target = target;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("close", () => this.#fail(new Error("the server closed the connection")));
    socket.on("error", (error) => this.#fail(error));
  }

  post(body: string, token: string): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    // A server closes a connection that rests.
    if (this.#socket.destroyed) reject(new Error("the connection is closed"));
    this.#pending = { resolve, reject };
    this.#socket.write(
      `POST ${this.#target.pathname} HTTP/1.1\r\nhost: ${this.#target.host}\r\naccept: application/json\r\n` +
        `content-type: application/json\r\nauthorization: Bearer ${token}\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    return promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #fail(error: Error): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(error);
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf(headEnd);
    if (end === -1) return;
    const head = this.#received.toString("latin1", 0, end);
    const body = bodyOf(head, this.#received.subarray(end + headEnd.length));
    const pending = this.#pending;
    if (body === undefined || pending === undefined) return;
    this.#received = Buffer.alloc(0);
    this.#pending = undefined;
    if (head.startsWith("HTTP/1.1 200")) pending.resolve(JSON.parse(body));
    else pending.reject(new Error(`${head.split("\r\n", 1)[0]}: ${body.slice(0, 500)}`));
  }
}

export async function openConnection(url: string): Promise<Connection> {
  const target = new URL(url);
  const socket = connect({ host: target.hostname, port: Number(target.port), noDelay: true });
  await once(socket, "connect");
  return new SocketConnection(socket, target);
}
