import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import type { GraphQLParams } from "graphql-yoga";
import { graphqlError } from "../graphql/errors.ts";
import type { Services } from "../graphql/services.ts";
import type { Logger } from "../log.ts";
import { inSpan } from "../telemetry.ts";
import { authorizationOf, bearerToken } from "./bearer.ts";
import { readGet, readPost } from "./body.ts";
import { type Authenticate, type Call, createCall, type SignedIn } from "./call.ts";
import { serveGraphiQL, wantsPage } from "./graphiql.ts";
import type { Metrics } from "./metrics.ts";
import { type Checks, createProbes } from "./probes.ts";
import { createSlots } from "./slots.ts";
import { cutWhenSlow, wantsStream } from "./stream.ts";
import { createWebSockets, SOCKET_LIMITS, type SocketLimits } from "./websocket.ts";
import { createCountersignYoga } from "./yoga.ts";

/** What `main.ts` hands over. */
export interface HttpServerDeps {
  readonly services: Services;
  readonly authenticate: Authenticate;
  /** Conditions of `/readyz`, by name; all of them must hold. */
  readonly checks: () => Promise<Checks>;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Origins whose pages may call the API; none: only the server's own. */
  readonly corsOrigins: readonly string[];
  readonly socketLimits?: Partial<SocketLimits>;
}

export interface HttpServer {
  /** Resolves to the port that is listened on, once it is. Port 0 takes any that is free. */
  listen(port: number, host: string): Promise<number>;
  /**
   * Takes no more requests, finishes those under way, ends streams, closes WebSockets with 1001. Whatever is not done
   * after `graceMilliseconds` is cut.
   */
  close(graceMilliseconds?: number): Promise<void>;
}

const GRACE = 10_000;

/** The API over HTTP, SSE and WebSocket, with the probes beside it. */
export function createHttpServer(deps: HttpServerDeps): HttpServer {
  const { services, authenticate, checks, metrics, log, corsOrigins } = deps;
  const stopping = new AbortController();
  // Request lines hold nothing but what logRequest puts there, and looking for secrets in each would cost more than the line.
  const requestLog = log.child({}, { redact: [] });
  const yoga = createCountersignYoga({ services, log, corsOrigins, onError: metrics.error });
  const probe = createProbes({
    checks,
    accepting: () => !stopping.signal.aborted,
    metrics,
    log,
  });
  const limits = { ...SOCKET_LIMITS, ...deps.socketLimits };
  const slots = createSlots(limits.streamsPerPrincipal);
  const sockets = createWebSockets({
    yoga,
    authenticate,
    metrics,
    log,
    corsOrigins,
    stopping: stopping.signal,
    slots,
    limits,
  });

  /** Reads what Yoga needs to know; what is wrong with it is Yoga's to tell, in the media type the client asked for. */
  async function prepare(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<{ call: Call; readParams: () => GraphQLParams }> {
    let signedIn: SignedIn | undefined;
    let params: GraphQLParams = {};
    let problem: unknown;
    try {
      const authorization = authorizationOf(request);
      if (authorization !== undefined) signedIn = await authenticate(bearerToken(authorization));
      if (wantsStream(request)) admitStream(response, signedIn);
      if (request.method === "POST") params = await readPost(request);
      else if (request.method === "GET") params = readGet(request);
    } catch (error) {
      request.resume();
      problem = error;
    }
    const call = createCall({ request, signedIn, stopping: stopping.signal, onRefusal: metrics.refusal });
    const readParams = () => {
      if (problem !== undefined) throw problem;
      return params;
    };
    return { call, readParams };
  }

  /** Counts a stream, and watches that it is read. */
  function admitStream(response: ServerResponse, signedIn: SignedIn | undefined): void {
    if (signedIn === undefined) return;
    const release = slots.take(signedIn);
    if (release === undefined) {
      throw graphqlError("RATE_LIMITED", "You have too many streams and connections.", { http: { status: 429 } });
    }
    response.once("close", release);
    cutWhenSlow(response, limits.sendTimeout, metrics.slowSubscriber);
  }

  async function graphql(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (wantsPage(request)) return serveGraphiQL(request, authenticate, response);
    const started = performance.now();
    const { call, readParams } = await prepare(request, response);
    response.once("close", () => {
      const seconds = (performance.now() - started) / 1000;
      metrics.request(request.method ?? "", "/graphql", response.statusCode, seconds);
      logRequest(requestLog, request, response, call, seconds);
    });
    response.setHeader("x-trace-id", call.traceId);
    response.setHeader("cache-control", "no-store");
    response.setHeader("x-content-type-options", "nosniff");
    await yoga.yoga.handle(request, response, { call, readParams });
  }

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split("?", 1)[0] ?? "/";
    if (path === "/graphql") return traced(request, () => graphql(request, response));
    const probed = probe(path, request, response);
    if (probed !== undefined) return probed;
    request.resume();
    response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("not found\n");
  }

  const server = createServer(
    { requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 65_000 },
    (request, response) => {
      route(request, response).catch((error: unknown) => {
        log.error({ err: error }, "a request failed");
        if (response.headersSent) response.destroy();
        else response.writeHead(500, { "content-type": "text/plain; charset=utf-8" }).end("internal error\n");
      });
    },
  );
  server.on("upgrade", (request, stream, head) => {
    stream.on("error", (error) => log.debug({ err: error }, "a connection failed"));
    sockets.upgrade(request, stream, head).catch((error: unknown) => {
      log.error({ err: error }, "an upgrade failed");
      stream.destroy();
    });
  });

  return {
    async listen(port, host) {
      await listening(server, port, host);
      return (server.address() as AddressInfo).port;
    },
    async close(graceMilliseconds = GRACE) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const cut = setTimeout(() => server.closeAllConnections(), graceMilliseconds);
      // Before streams are told to end, so that no socket's subscription looks complete when it was cut off.
      await sockets.close(Math.min(2_000, graceMilliseconds));
      stopping.abort();
      server.closeIdleConnections();
      const sweep = setInterval(() => server.closeIdleConnections(), 50);
      await closed;
      clearInterval(sweep);
      clearTimeout(cut);
      await yoga.yoga.dispose();
    },
  };
}

function listening(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Runs `work` in a span, under the caller's trace when it sent one. */
function traced(request: IncomingMessage, work: () => Promise<void>): Promise<void> {
  const parent =
    request.headers.traceparent === undefined ? ROOT_CONTEXT : propagation.extract(ROOT_CONTEXT, request.headers);
  const attributes = { "http.request.method": request.method ?? "", "url.path": "/graphql" };
  return context.with(parent, () => inSpan("graphql", attributes, work));
}

function logRequest(
  log: Logger,
  request: IncomingMessage,
  response: ServerResponse,
  call: Call,
  seconds: number,
): void {
  const { caller, traceId, seen } = call;
  log.info(
    {
      method: request.method,
      status: response.statusCode,
      ms: Math.round(seconds * 1e4) / 10,
      operation: seen.operation,
      name: seen.name,
      organization: caller?.principal.organization,
      principal: caller?.principal.id,
      errors: seen.codes.length > 0 ? seen.codes : undefined,
      traceId,
    },
    "request",
  );
}
