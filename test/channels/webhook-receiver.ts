import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A program that gets webhooks, over a real socket. */
export interface WebhookReceiver {
  readonly url: string;
  readonly received: readonly Received[];
  /** How it responds from now on; default: 204. `count`: so often, then 204 again. */
  respond(how: (response: ServerResponse) => void, count?: number): void;
  close(): Promise<void>;
}

export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const received: Received[] = [];
  const good = (response: ServerResponse) => void response.writeHead(204).end();
  let answer: (response: ServerResponse) => void = good;
  let left = Number.POSITIVE_INFINITY;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received.push({
        path: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString("utf8"),
      });
      const how = left > 0 ? answer : good;
      left -= 1;
      how(response);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    respond(how, count = Number.POSITIVE_INFINITY) {
      answer = how;
      left = count;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
