import type { IncomingMessage, ServerResponse } from "node:http";
import { GraphQLError } from "graphql";
import { LedgerUnavailableError } from "../ledger/errors.ts";
import type { Logger } from "../log.ts";
import { readBody } from "./body.ts";

/** Where a request of another service goes: the kind of channel, in capitals, and whose it is. */
export interface ChannelAddress {
  readonly kind: string;
  readonly organization: string;
  readonly name: string;
}

/** Responds to a request at the path of a channel; undefined: there is no such channel. */
export type ReceiveChannel = (
  at: ChannelAddress,
  request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string | undefined>>;
    readonly body: Buffer;
  },
) => Promise<{ readonly status: number; readonly contentType?: string; readonly body?: string } | undefined>;

export interface ChannelRouteDeps {
  readonly receive: ReceiveChannel;
  /** Throws RATE_LIMITED. Nobody is known yet: a request is looked at as one without a token. */
  readonly admit: (request: IncomingMessage) => Promise<void>;
  readonly log: Pick<Logger, "error">;
}

/** Bytes that a request of another service may have. */
const MAX_BODY = 256 * 1024;
const PART = "([a-z0-9][a-z0-9-]{0,63})";
const PATH = new RegExp(`^/channels/(slack|teams|email|webhook)/${PART}/${PART}(/.{0,200})?$`);

/** Handles the paths of channels, `/channels/<kind>/<organization>/<name>`; returns undefined for any other path. */
export function createChannelRoute({ receive, admit, log }: ChannelRouteDeps) {
  async function respond(
    at: ChannelAddress,
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    await admit(request);
    const body = await readBody(request, MAX_BODY);
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : value]),
    );
    const found = await receive(at, { method: request.method ?? "", path, headers, body });
    const { status, contentType = "text/plain; charset=utf-8", body: text = "" }: Found = found ?? NOT_FOUND;
    response.writeHead(status, { "content-type": contentType, "cache-control": "no-store" }).end(text);
  }

  return (path: string, request: IncomingMessage, response: ServerResponse): Promise<void> | undefined => {
    const [, kind, organization, name, rest = ""] = PATH.exec(path) ?? [];
    if (kind === undefined || organization === undefined || name === undefined) return undefined;
    return respond({ kind: kind.toUpperCase(), organization, name }, rest, request, response).catch(
      (error: unknown) => {
        request.resume();
        const status = statusOf(error);
        if (status === 500) log.error({ err: error }, "a request of a channel failed");
        if (response.headersSent) return void response.destroy();
        // Whoever is told to come again does, where nothing could be recorded.
        const retry = status === 503 || status === 429 ? { "retry-after": "1" } : {};
        response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...retry }).end("refused\n");
      },
    );
  };
}

type Found = NonNullable<Awaited<ReturnType<ReceiveChannel>>>;
const NOT_FOUND: Found = { status: 404, body: "not found\n" };

/** The status of a response that says why nothing was done. */
export function statusOf(error: unknown): number {
  if (error instanceof LedgerUnavailableError) return 503;
  if (!(error instanceof GraphQLError)) return 500;
  const { http, code } = error.extensions as { readonly http?: { readonly status?: number }; readonly code?: string };
  return http?.status ?? (code === "RATE_LIMITED" ? 429 : 400);
}
