import type { IncomingMessage, ServerResponse } from "node:http";
import { context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import type { GraphQLParams } from "graphql-yoga";
import type { RespondHome } from "../domain/regions/home-exchange.ts";
import { graphqlError, rateLimited } from "../graphql/base/errors.ts";
import { RESPONSE_BYTES } from "../graphql/base/response-budget.ts";
import type { Services } from "../graphql/base/services.ts";
import type { Logger } from "../log.ts";
import { inSpan } from "../telemetry.ts";
import { readGet, readPost } from "./body.ts";
import { type Call, type CallIdentity, createCall, requestHeadOf, type SignedIn } from "./call.ts";
import type { Certificate } from "./certificate.ts";
import { createChannelRoute, type ReceiveChannel } from "./channel-route.ts";
import { CONNECTION_LIMITS, type ConnectionLimits, limitConnections } from "./connections.ts";
import { credentialsOf } from "./credentials.ts";
import { serveGraphiQL, wantsGraphiql } from "./graphiql.ts";
import { hasValidHost } from "./host.ts";
import { createJsonRoute } from "./json-route.ts";
import { createListener, listening, replaceCertificate } from "./listener.ts";
import type { Metrics } from "./metrics.ts";
import { originOf } from "./origin.ts";
import { createPeers, type Peers } from "./peers.ts";
import { type Checks, createProbes } from "./probes.ts";
import { createRates, RATE_LIMITS, type RateLimits } from "./rates.ts";
import { createHomeRoute } from "./regions/home-route.ts";
import { createSlots, readerOf } from "./slots.ts";
import { cutWhenSlow, once, wantsStream, whenClosed } from "./stream.ts";
import { createUnread, holdUnread } from "./unread.ts";
import {
  createWebSockets,
  isFinal,
  refuseUpgrade,
  SOCKET_LIMITS,
  type SocketLimits,
  tooManyRequests,
} from "./websocket.ts";
import { createCountersignYoga } from "./yoga.ts";

/** The dependencies, passed in by `main.ts`. */
export interface HttpServerDeps {
  readonly services: Services;
  readonly identity: CallIdentity;
  /** Where clients reach this server, as `https://host:port`; undefined: where it listens. */
  readonly publicUrl?: string | undefined;
  /** Handles the paths of signing in with a browser; returns undefined for any other path. */
  readonly signIn?: (path: string, request: IncomingMessage, response: ServerResponse) => Promise<void> | undefined;
  /** Responds to requests of other services at the paths of channels; left out: there are none. */
  readonly receiveChannel?: ReceiveChannel | undefined;
  /** Responds to servers of other regions about what the home region has; left out: this server does not have it. */
  readonly respondHome?: RespondHome | undefined;
  /** Conditions of `/readyz`, by name; all must hold. Undefined: the probes are served elsewhere. */
  readonly checks: (() => Promise<Checks>) | undefined;
  /** Whether each further region is ready, which `/readyz` says. */
  readonly regions?: (() => Promise<Checks>) | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Origins whose pages may call the API; none: only the server's own. */
  readonly corsOrigins: readonly string[];
  /** Undefined: plain HTTP. */
  readonly certificate?: Certificate | undefined;
  readonly peers?: Peers;
  readonly connectionLimits?: Partial<ConnectionLimits>;
  readonly socketLimits?: Partial<SocketLimits>;
  readonly rateLimits?: Partial<RateLimits>;
  readonly responseLimits?: Partial<ResponseLimits>;
  /** Bytes that a request with a token may have. Default: a megabyte. */
  readonly requestBytes?: number | undefined;
  /** false: Yoga responds to every operation, to compare the responses; they are the same. */
  readonly jsonRoute?: boolean;
}

/** Bytes. */
export interface ResponseLimits {
  /** Of one response, or one event of a subscription. */
  readonly responseBytes: number;
  /** Of all responses that wait for their clients to read them. */
  readonly unreadBytes: number;
}

export const RESPONSE_LIMITS: ResponseLimits = { responseBytes: RESPONSE_BYTES, unreadBytes: 128 * 1024 * 1024 };

export interface HttpServer {
  /** Starts listening. Resolves to the port; port 0 is any free one. */
  listen(port: number, host: string): Promise<number>;
  /** Whether requests are accepted: from listening until closing. */
  accepting(): boolean;
  /** Uses another certificate from the next handshake on, where there is one. */
  replaceCertificate(certificate: Certificate): void;
  /**
   * Takes no more requests, finishes those under way, ends streams, closes WebSockets with 1001. Whatever is not done
   * after `graceMilliseconds` is cut.
   */
  close(graceMilliseconds?: number): Promise<void>;
}

const GRACE = 10_000;

/** The API over HTTP, SSE and WebSocket, with the probes beside it. */
export function createHttpServer(deps: HttpServerDeps): HttpServer {
  const { services, identity, signIn, checks, regions, metrics, log, corsOrigins } = deps;
  let publicUrl = deps.publicUrl ?? "http://localhost";
  const stopping = new AbortController();
  // Request lines contain only what logRequest puts there, so they need no redaction, which would cost more than the line.
  const requestLog = log.child({}, { redact: [] });
  const responseLimits = { ...RESPONSE_LIMITS, ...deps.responseLimits };
  const unread = createUnread(responseLimits.unreadBytes, metrics.slowSubscriber);
  const yoga = createCountersignYoga({
    services,
    log,
    corsOrigins,
    responseBytes: responseLimits.responseBytes,
    onError: metrics.error,
  });
  const jsonRoute = createJsonRoute(yoga, { corsOrigins });
  const accepting = () => server.listening && !stopping.signal.aborted;
  const probe = checks && createProbes({ checks, regions, accepting, log });
  const peers = deps.peers ?? createPeers([]);
  const mayUse = ({ socket }: IncomingMessage) =>
    deps.certificate !== undefined || peers.mayUsePlainHttp(socket.remoteAddress);
  const connectionLimits = { ...CONNECTION_LIMITS, ...deps.connectionLimits };
  const limits = { ...SOCKET_LIMITS, ...deps.socketLimits };
  const slots = createSlots(limits);
  const rates = createRates({ ...RATE_LIMITS, ...deps.rateLimits });
  const requests = createSlots({ streamsPerPrincipal: limits.requestsPerPrincipal });
  const sockets = createWebSockets({
    yoga,
    identity,
    publicUrl: () => publicUrl,
    metrics,
    log,
    corsOrigins,
    stopping: stopping.signal,
    slots,
    rates,
    requests,
    unread,
    limits,
  });

  /** Reads the body for Yoga, which reports an invalid one in the media type that the client accepts. */
  async function prepare(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<{ call: Call; readParams: () => GraphQLParams }> {
    let signedIn: SignedIn | undefined;
    // Also without an explicit Accept for streams: Yoga streams a subscription whenever Accept permits it.
    const watched = once(() => admitStream(response, signedIn));
    let params: GraphQLParams = {};
    let problem: unknown;
    try {
      signedIn = await signInOf(request);
      if (signedIn === undefined) await admitAnonymous(request);
      if (wantsStream(request)) watched();
      else if (signedIn !== undefined) admitRequest(response, signedIn);
      if (request.method === "POST") {
        params = await readPost(request, { anonymous: signedIn === undefined, most: deps.requestBytes });
      } else if (request.method === "GET") params = readGet(request);
    } catch (error) {
      request.resume();
      problem = error;
    }
    const facts = requestHeadOf(request);
    const client = identity.identify(facts, signedIn);
    const call = createCall({
      facts,
      signedIn,
      forDecision: identity.forDecision,
      // Waiting for what is there already would cost every call a turn of the event loop.
      client: client instanceof Promise ? await client : client,
      address: identity.addressOf(facts),
      stopping: stopping.signal,
      watched,
      onRefusal: metrics.refusal,
      rates,
    });
    const readParams = () => {
      if (problem !== undefined) throw problem;
      return params;
    };
    return { call, readParams };
  }

  /** Throws RATE_LIMITED when too many requests of this address are of nobody who signed in. Others of the address are not counted. */
  async function admitAnonymous(request: IncomingMessage): Promise<void> {
    const wait = await rates.anonymous(identity.addressOf(requestHeadOf(request)));
    if (wait !== undefined) throw rateLimited("Too many requests without a valid token come from your address.", wait);
  }

  async function signInOf(request: IncomingMessage): Promise<SignedIn | undefined> {
    try {
      const presented = credentialsOf(request, publicUrl) ?? identity.cookie?.(request);
      return presented && (await identity.authenticate(presented));
    } catch (error) {
      identity.refused?.(error, requestHeadOf(request));
      if (isFinal(error)) await admitAnonymous(request);
      throw error;
    }
  }

  /** Counts a request as under way until its response was read. Throws RATE_LIMITED. */
  function admitRequest(response: ServerResponse, signedIn: SignedIn): void {
    holdUnread(response, unread, readerOf(signedIn));
    // Its client has left: nothing is begun for it.
    if (response.closed) throw graphqlError("BAD_USER_INPUT", "The request broke off.", { http: { status: 400 } });
    const release = requests.take(signedIn);
    if (release === undefined) throw tooManyRequests(limits.requestsPerPrincipal);
    // Whoever leaves early does not end what was begun.
    response.once("close", () => void (works.get(response) ?? Promise.resolve()).finally(release));
  }

  /** Takes a slot for a stream and closes it when it is not read. Returns a signal that aborts when the token is revoked. */
  function admitStream(response: ServerResponse, signedIn: SignedIn | undefined): AbortSignal | undefined {
    // A proxy such as nginx would collect events until its buffer is full (docs of nginx, `proxy_buffering`).
    if (!response.headersSent) response.setHeader("x-accel-buffering", "no");
    if (signedIn === undefined) return undefined;
    // The client left during authentication: a slot taken now would not be released.
    if (response.closed) return AbortSignal.abort();
    const release = slots.take(signedIn);
    if (release === undefined) {
      throw rateLimited("You have too many streams and connections.", 1);
    }
    response.once("close", release);
    holdUnread(response, unread, readerOf(signedIn));
    cutWhenSlow(response, connectionLimits.sendTimeout, metrics.slowSubscriber);
    const revoked = new AbortController();
    const unwatch = identity.watch?.(signedIn, () => revoked.abort());
    if (unwatch !== undefined) response.once("close", unwatch);
    return revoked.signal;
  }

  const channelRoute =
    deps.receiveChannel && createChannelRoute({ receive: deps.receiveChannel, admit: admitAnonymous, log });

  const homeRoute = deps.respondHome && createHomeRoute({ respond: deps.respondHome, admit: admitAnonymous, log });

  /** What is done for responses. */
  const works = new WeakMap<ServerResponse, Promise<void>>();

  async function graphql(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (wantsGraphiql(request)) return serveGraphiQL(request, identity, publicUrl, response);
    const { promise, resolve } = Promise.withResolvers<void>();
    works.set(response, promise);
    try {
      await execute(request, response);
    } finally {
      resolve();
    }
  }

  async function execute(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const { call, readParams } = await prepare(request, response);
    whenClosed(response, () => {
      const seconds = (performance.now() - started) / 1000;
      metrics.request(request.method ?? "", "/graphql", response.statusCode, seconds);
      logRequest(requestLog, request, response, call, seconds);
    });
    response.setHeader("x-trace-id", call.traceId);
    response.setHeader("cache-control", "no-store");
    response.setHeader("x-content-type-options", "nosniff");
    const given = { call, readParams };
    const context = deps.jsonRoute === false ? given : await jsonRoute.serve(request, response, given);
    if (context !== undefined) await yoga.yoga.handle(request, response, context);
  }

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split("?", 1)[0] ?? "/";
    const probed = probe?.(path, request, response);
    if (probed !== undefined) return probed;
    if (!mayUse(request)) return refusePlain(request, response);
    if (!hasValidHost(request)) return refuseHost(request, response);
    if (path === "/graphql") return traced(request, () => graphql(request, response));
    const received = channelRoute?.(path, request, response);
    if (received !== undefined) return received;
    const asked = homeRoute?.(path, request, response);
    if (asked !== undefined) return asked;
    const signingIn = signIn?.(path, request, response);
    if (signingIn !== undefined) return signingIn;
    request.resume();
    response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("not found\n");
  }

  const server = createListener({ certificate: deps.certificate, limits: connectionLimits }, (request, response) => {
    connections.inTurn(request, response, () => {
      route(request, response).catch((error: unknown) => {
        log.error({ err: error }, "a request failed");
        if (response.headersSent) response.destroy();
        else response.writeHead(500, { "content-type": "text/plain; charset=utf-8" }).end("internal error\n");
      });
    });
  });
  const connections = limitConnections(server, {
    limits: connectionLimits,
    isProxy: peers.isProxy,
    onOpened: metrics.connectionOpened,
    onClosed: metrics.connectionClosed,
    onRefused: (limit, address) => {
      metrics.connectionRefused(limit);
      log.debug({ limit, address }, "a connection was refused: there are too many");
    },
    onSlow: metrics.slowSubscriber,
  });
  server.on("upgrade", (request, stream, head) => {
    stream.on("error", (error) => log.debug({ err: error }, "a connection failed"));
    if (!mayUse(request)) return refuseUpgrade(stream, "403 Forbidden");
    if (!hasValidHost(request)) return refuseUpgrade(stream, "400 Bad Request");
    sockets.upgrade(request, stream, head).catch((error: unknown) => {
      log.error({ err: error }, "an upgrade failed");
      stream.destroy();
    });
  });

  return {
    async listen(port, host) {
      const taken = await listening(server, port, host);
      publicUrl = deps.publicUrl ?? originOf({ host, port: taken, secure: deps.certificate !== undefined });
      return taken;
    },
    accepting,
    replaceCertificate: (certificate) => replaceCertificate(server, certificate),
    async close(graceMilliseconds = GRACE) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const cut = setTimeout(connections.destroyAll, graceMilliseconds);
      // Before streams end, so that no subscription over a socket looks complete when it was cut off.
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

/** Responds to a request that came in the clear from somewhere else: what it carried may have been read on its way. */
function refusePlain(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response
    .writeHead(403, { "content-type": "text/plain; charset=utf-8" })
    .end("plain HTTP is accepted from this machine and from trustedProxies alone: use https\n");
}

function refuseHost(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response
    .writeHead(400, { "content-type": "text/plain; charset=utf-8" })
    .end("the Host header has to be a host, with or without a port\n");
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
