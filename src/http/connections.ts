import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { networkOf } from "./peers.ts";

/** Times are milliseconds. */
export interface ConnectionLimits {
  /** Open TCP connections in all. */
  readonly connections: number;
  /** Of one address, or one /64 network of IPv6; those of proxies are not counted. */
  readonly connectionsPerAddress: number;
  /** How long a client may take to send the head of a request, the first one of a connection included. */
  readonly headerTimeout: number;
  /** How long a connection is kept open after a response without another request. */
  readonly idleTimeout: number;
  /** How long data may wait to be sent while the client reads nothing. */
  readonly sendTimeout: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  connections: 10_000,
  connectionsPerAddress: 1_000,
  headerTimeout: 10_000,
  idleTimeout: 65_000,
  sendTimeout: 30_000,
};

/** Requests that may wait on one connection for the response before them (pipelining, RFC 9112, section 9.3.2). */
const MAX_PIPELINED = 16;

/** Milliseconds for the body of a request, beyond those for its head. */
const BODY_TIMEOUT = 20_000;

/** Options of `node:http` for these limits. */
export function serverOptions({ headerTimeout, idleTimeout }: ConnectionLimits) {
  return {
    headersTimeout: headerTimeout,
    requestTimeout: headerTimeout + BODY_TIMEOUT,
    keepAliveTimeout: idleTimeout,
    // How often Node compares connections with the first two.
    connectionsCheckingInterval: Math.min(1_000, headerTimeout),
  };
}

export interface ConnectionsDeps {
  readonly limits: ConnectionLimits;
  readonly isProxy: (address: string | undefined) => boolean;
  readonly onOpened: () => void;
  readonly onClosed: () => void;
  /** Called for each connection that is closed because there are too many: in all, or of one address. */
  readonly onRefused: (limit: "all" | "address", address: string | undefined) => void;
  /** Called for each connection that is closed because its client does not read. */
  readonly onSlow: () => void;
}

export interface Connections {
  /** Calls `handle` for a request when the response before it on the same connection is done. */
  inTurn(request: IncomingMessage, response: ServerResponse, handle: () => void): void;
  /** Closes every connection, those included on which no request has arrived yet. */
  destroyAll(): void;
}

/** Bounds the connections of a server, and what they hold. */
export function limitConnections(server: Server, deps: ConnectionsDeps): Connections {
  const { limits, isProxy, onOpened, onClosed, onRefused, onSlow } = deps;
  const open = new Set<Socket>();
  const perAddress = new Map<string, number>();
  /** Requests of a connection that are not responded to yet, and when the last of them will be. */
  const requests = new WeakMap<Socket, { count: number; last: Promise<void> }>();

  server.prependListener("connection", (socket: Socket) => {
    const { remoteAddress } = socket;
    const key = isProxy(remoteAddress) ? undefined : networkOf(remoteAddress);
    const before = key === undefined ? 0 : (perAddress.get(key) ?? 0);
    const exceeded = open.size >= limits.connections ? "all" : before >= limits.connectionsPerAddress && "address";
    if (exceeded !== false) {
      onRefused(exceeded, remoteAddress);
      socket.destroy();
      return;
    }
    open.add(socket);
    if (key !== undefined) perAddress.set(key, before + 1);
    onOpened();
    socket.once("close", () => {
      open.delete(socket);
      onClosed();
      if (key === undefined) return;
      const left = (perAddress.get(key) ?? 1) - 1;
      if (left === 0) perAddress.delete(key);
      else perAddress.set(key, left);
    });
  });

  // Node calls this when nothing was read or written for `sendTimeout`, a part of a pending write included, or, between two
  // requests, for `idleTimeout`. A WebSocket has limits of its own.
  server.setTimeout(limits.sendTimeout, (socket: Socket) => {
    const isBusy = (requests.get(socket)?.count ?? 0) > 0;
    if (isBusy && socket.writableLength === 0) return;
    if (isBusy) onSlow();
    socket.destroy();
  });

  return {
    inTurn(request, response, handle) {
      const { socket } = request;
      const state = requests.get(socket) ?? { count: 0, last: Promise.resolve() };
      requests.set(socket, state);
      const { count, last } = state;
      if (count > MAX_PIPELINED) return void socket.destroy();
      state.count += 1;
      state.last = new Promise((resolve) => {
        response.once("close", () => {
          state.count -= 1;
          resolve();
        });
      });
      if (count === 0) return handle();
      void last.then(() => {
        if (!socket.destroyed) handle();
      });
    },
    destroyAll() {
      for (const socket of open) socket.destroy();
    },
  };
}
