import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Proxy {
  /** The URL of the server behind, through the proxy. */
  readonly url: string;
  /** From now on an answer of the server that follows a request with `marker` in it never arrives: both ends are cut. */
  cutAnswerTo(marker: string): void;
  /** From a request with `marker` in it on, requests of every connection still reach the server, and no answer comes back. */
  muteFrom(marker: string): void;
  /** The next request with `marker` in it does not reach the server, and nothing passes over its connection any more. Resolves then. */
  holdAt(marker: string): Promise<void>;
  /** From now on nothing passes in either direction over the connections there are; they stay open. New ones work. */
  swallow(): void;
  /** Connections cut so far. */
  readonly cuts: number;
  close(): Promise<void>;
}

/**
 * A TCP proxy before a PostgreSQL server that can lose the answer to a request which the server has carried out.
 *
 * @param port where it listens, such as that of one that was closed; 0: any free one
 */
export async function startProxy(serverUrl: string, port = 0): Promise<Proxy> {
  const target = new URL(serverUrl);
  const sockets = new Set<Socket>();
  const dead = new Set<Socket>();
  let marker: string | undefined;
  let muteMarker: string | undefined;
  let muted = false;
  let held: { readonly marker: string; readonly resolve: () => void } | undefined;
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    let doomed = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
    client.on("data", (chunk) => {
      if (dead.has(client)) return;
      if (held !== undefined && chunk.includes(held.marker)) {
        dead.add(client);
        held.resolve();
        held = undefined;
        return;
      }
      if (marker !== undefined && chunk.includes(marker)) {
        doomed = true;
        marker = undefined;
      }
      if (muteMarker !== undefined && chunk.includes(muteMarker)) muted = true;
      upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      if (muted || dead.has(client)) return;
      if (!doomed) {
        client.write(chunk);
        return;
      }
      cuts += 1;
      client.destroy();
      upstream.destroy();
    });
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(serverUrl);
  url.hostname = "127.0.0.1";
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    cutAnswerTo(text) {
      marker = text;
    },
    muteFrom(text) {
      muteMarker = text;
    },
    holdAt(text) {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = { marker: text, resolve };
      return promise;
    },
    swallow() {
      for (const socket of sockets) dead.add(socket);
    },
    get cuts() {
      return cuts;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
