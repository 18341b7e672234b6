import type { IncomingMessage, ServerResponse } from "node:http";
import { HOME_PATH, MAX_REQUEST, type RespondHome } from "../../domain/regions/home-exchange.ts";
import type { Logger } from "../../log.ts";
import { readBody } from "../body.ts";
import { statusOf } from "../channel-route.ts";

export interface HomeRouteDeps {
  readonly respond: RespondHome;
  /** Throws RATE_LIMITED. Nobody is known before the request was read. */
  readonly admit: (request: IncomingMessage) => Promise<void>;
  readonly log: Pick<Logger, "error">;
}

/** Handles requests of servers of other regions; returns undefined for any other path. */
export function createHomeRoute({ respond, admit, log }: HomeRouteDeps) {
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "POST") return end(response, 405, "use POST\n", { allow: "POST" });
    const body = await readBody(request, MAX_REQUEST);
    const found = await respond(body.toString());
    if (found !== undefined) return end(response, 200, found, { "content-type": "application/jwt" });
    await admit(request);
    end(response, 401, "no server of this installation made this request\n");
  }

  return (path: string, request: IncomingMessage, response: ServerResponse): Promise<void> | undefined => {
    if (path !== HOME_PATH) return undefined;
    return handle(request, response).catch((error: unknown) => {
      request.resume();
      const status = statusOf(error);
      if (status === 500) log.error({ err: error }, "a request of another region failed");
      if (response.headersSent) return void response.destroy();
      end(response, status, "refused\n");
    });
  };
}

function end(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const plain = { "content-type": "text/plain; charset=utf-8", "content-length": String(Buffer.byteLength(body)) };
  response.writeHead(status, { ...plain, "cache-control": "no-store", ...headers }).end(body);
}
