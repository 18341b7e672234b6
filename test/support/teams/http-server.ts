import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A server on a port of its own at loopback, which a test can take down and bring back at the same address. */
export interface LocalServer {
  readonly url: string;
  /** Refuses connections, and drops those that are open, until `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export async function startLocalServer(handler: Handler): Promise<LocalServer> {
  const listener: RequestListener = (request, response) => {
    Promise.resolve(handler(request, response)).catch((error: unknown) => {
      // A test that took the server down ended this exchange itself.
      if (!response.destroyed) response.writeHead(500).end(String(error));
    });
  };
  const server = createServer(listener);
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
    start: () => listen(port),
  };
}

/** Responds with JSON. */
export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response
    .writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers })
    .end(JSON.stringify(value));
}
