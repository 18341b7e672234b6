import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type ExecutionArgs, type ExecutionResult, type execute, GraphQLError, type subscribe } from "graphql";
import { CloseCode, type Context as Connection, handleProtocols, makeServer } from "graphql-ws";
import { isAsyncIterable } from "graphql-yoga";
import { type WebSocket, WebSocketServer } from "ws";
import { AuthenticationError } from "../domain/identity/errors.ts";
import type { ClientIdentity } from "../domain/identity/principal.ts";
import { graphqlError, rateLimited } from "../graphql/base/errors.ts";
import type { Logger } from "../log.ts";
import { MAX_BODY } from "./body.ts";
import { type Call, type CallIdentity, createCall, requestHeadOf, type SignedIn, whenExpired } from "./call.ts";
import { credentials, credentialsOf } from "./credentials.ts";
import type { Metrics } from "./metrics.ts";
import type { Rates } from "./rates.ts";
import { readerOf, type Slots } from "./slots.ts";
import { serveSocket, TRY_AGAIN_LATER } from "./socket.ts";
import type { Reader, Unread } from "./unread.ts";
import type { Yoga } from "./yoga.ts";

/** Times are milliseconds. */
export interface SocketLimits {
  readonly initTimeout: number;
  readonly pingInterval: number;
  readonly sendTimeout: number;
  /** Requests over HTTP and operations over WebSocket that are under way, streams and subscriptions aside. */
  readonly requestsPerPrincipal: number;
  /** Connections and event streams together. */
  readonly streamsPerPrincipal: number;
  /** The same of a person and all agents that act for them. */
  readonly streamsPerPerson: number;
  readonly operationsPerSocket: number;
  /** Bytes that may wait to be sent on one connection. */
  readonly bufferedBytes: number;
}

export const SOCKET_LIMITS: SocketLimits = {
  initTimeout: 3_000,
  pingInterval: 12_000,
  sendTimeout: 30_000,
  requestsPerPrincipal: 256,
  streamsPerPrincipal: 32,
  streamsPerPerson: 256,
  operationsPerSocket: 64,
  bufferedBytes: 4 * 1024 * 1024,
};

export interface WebSocketDeps {
  readonly yoga: Yoga;
  readonly identity: CallIdentity;
  /** Where clients reach this server: scheme, host and port. */
  readonly publicUrl: () => string;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly corsOrigins: readonly string[];
  readonly stopping: AbortSignal;
  readonly slots: Slots;
  readonly rates: Rates;
  /** Of requests that are under way. */
  readonly requests: Slots;
  readonly unread: Unread;
  readonly limits: SocketLimits;
}

interface Extra {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  /** From the upgrade's Authorization header; else set when the connection is initialised. */
  signedIn: SignedIn | undefined;
  /** As identified from the upgrade request; set when the connection is initialised. */
  client: ClientIdentity;
  readonly calls: Map<string, Call>;
}

/** The arguments of an execution, with the functions that execute it. */
interface Prepared extends ExecutionArgs {
  readonly execute: typeof execute;
  readonly subscribe: typeof subscribe;
}

const UNKNOWN_CLIENT: ClientIdentity = {
  name: "unknown",
  confidence: "UNKNOWN",
  modelConfidence: "UNKNOWN",
  evidence: {},
};

type Params = Record<string, unknown> | undefined;

/**
 * Whether a browser may connect from a page of this origin: browsers do not apply CORS to WebSockets, so the server has to. A
 * proxy may put its own name in Host, so pages at `publicUrl` are permitted whatever it says.
 */
function originAllowed({ headers }: IncomingMessage, publicUrl: string, corsOrigins: readonly string[]): boolean {
  const { origin, host } = headers;
  if (origin === undefined || origin === publicUrl) return true;
  return corsOrigins.includes(origin) || (URL.canParse(origin) && new URL(origin).host === host);
}

/** Responds without upgrading, and closes the connection, because stopping the server waits for it. */
export function refuseUpgrade(stream: Duplex, status: string): void {
  if (stream.writableEnded || stream.destroyed) return;
  stream.once("finish", () => stream.destroy());
  stream.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

/** Who reads before somebody signed in. */
const NOBODY: Reader = { organization: "", id: "" };

/** graphql-transport-ws on `/graphql`. */
export function createWebSockets(deps: WebSocketDeps) {
  const { yoga, identity, publicUrl, metrics, log, corsOrigins, stopping, slots, rates, requests, unread, limits } =
    deps;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_BODY, handleProtocols, clientTracking: true });
  /** Connections that requested an upgrade, which neither `sockets` nor the HTTP server tracks yet. */
  const upgrading = new Set<Duplex>();
  let closing = false;

  /** Authenticates a connection by its parameters, unless the upgrade request did. Returns whether it is accepted. */
  async function connect({ connectionParams, extra }: Connection<Params, Extra>): Promise<boolean> {
    const { authorization, Authorization, dpop } = connectionParams ?? {};
    const given = authorization ?? Authorization;
    try {
      if (given !== undefined) {
        // Two credentials could identify two principals.
        if (typeof given !== "string" || extra.signedIn !== undefined) return false;
        if (Authorization !== undefined && Authorization !== given) return false;
        if (dpop !== undefined && typeof dpop !== "string") return false;
        const target = { method: "GET", url: new URL("/graphql", publicUrl()).href };
        extra.signedIn = await identity.authenticate(credentials(given, dpop, target));
      }
    } catch (error) {
      identity.refused?.(error, requestHeadOf(extra.request));
      log.debug({ err: error }, "a connection was refused");
      if (!isFinal(error)) extra.socket.close(TRY_AGAIN_LATER, "Your credentials cannot be checked now");
      return false;
    }
    const { signedIn, socket } = extra;
    extra.client = await identity.identify(requestHeadOf(extra.request), signedIn);
    if (signedIn === undefined || socket.readyState !== socket.OPEN) return false;
    const release = slots.take(signedIn);
    if (release === undefined) {
      socket.close(TRY_AGAIN_LATER, "You have too many connections");
      return false;
    }
    socket.once("close", release);
    const unwatch = identity.watch?.(signedIn, () => socket.close(CloseCode.Forbidden, "Access revoked"));
    if (unwatch !== undefined) socket.once("close", unwatch);
    const expired = () => socket.close(CloseCode.Forbidden, "Token expired");
    socket.once("close", whenExpired(signedIn.expiresAt, expired));
    return true;
  }

  const server = makeServer<Params, Extra>({
    connectionInitWaitTimeout: limits.initTimeout,
    // Yoga's own, so that what holds over HTTP holds here.
    execute: (args) => (args as Prepared).execute(args),
    subscribe: (args) => (args as Prepared).subscribe(args),
    onConnect: connect,
    async onSubscribe({ extra, subscriptions }, id, params) {
      // Counted when it comes: those after it do not make it one too many.
      const running = Object.keys(subscriptions).length;
      let problem: unknown;
      // The connection may be hours old, and its caller's groups with it.
      if (extra.signedIn?.sessionId !== undefined && identity.current !== undefined) {
        extra.signedIn = await identity.current(extra.signedIn).catch((error: unknown) => {
          problem = error;
          return extra.signedIn;
        });
      }
      const call = createCall({
        facts: requestHeadOf(extra.request),
        signedIn: extra.signedIn,
        forDecision: identity.forDecision,
        client: extra.client,
        address: identity.addressOf(requestHeadOf(extra.request)),
        stopping,
        onRefusal: metrics.refusal,
        rates,
      });
      if (problem !== undefined) return publish(call, [problem]);
      if (running > limits.operationsPerSocket) {
        return publish(call, [
          graphqlError("RATE_LIMITED", `A connection has at most ${limits.operationsPerSocket} operations.`),
        ]);
      }
      // Of two operations with one id that begin at once, nobody could end the first.
      if (extra.calls.has(id)) {
        extra.socket.close(CloseCode.SubscriberAlreadyExists, "There is an operation with this id");
        return publish(call, [graphqlError("BAD_USER_INPUT", "There is an operation with this id.")]);
      }
      extra.calls.set(id, call);
      metrics.operationStarted();
      const prepared = await prepare(extra, call, params);
      // What is refused is never completed.
      if (Array.isArray(prepared) && extra.calls.delete(id)) metrics.operationEnded();
      return prepared;
    },
    onOperation(connection, id, _params, _args, result) {
      const call = connection.extra.calls.get(id);
      return isAsyncIterable<ExecutionResult>(result) && call !== undefined ? withErrorAsResult(result) : undefined;
    },
    onNext({ extra }, id, _params, _args, result) {
      const call = extra.calls.get(id);
      if (call === undefined || result.errors === undefined) return undefined;
      const finished = yoga.finish({ ...result } as Parameters<typeof yoga.finish>[0], call);
      return { ...finished, errors: formatted(finished.errors ?? []) };
    },
    onError: (_connection, _id, _params, errors) => formatted(errors),
    onComplete({ extra }, id) {
      if (extra.calls.delete(id)) metrics.operationEnded();
    },
  });

  function publish(call: Call, errors: readonly unknown[]): readonly GraphQLError[] {
    const located = errors.map((error) =>
      error instanceof GraphQLError ? error : new GraphQLError("", { originalError: error as Error }),
    );
    return yoga.finish({ errors: located }, call).errors ?? [];
  }

  /** What the protocol executes, or why it does not. */
  async function prepare(
    { signedIn }: Extra,
    call: Call,
    params: {
      readonly query: string;
      readonly operationName?: string | null | undefined;
      readonly variables?: Record<string, unknown> | null | undefined;
    },
  ) {
    try {
      const enveloped = yoga.yoga.getEnveloped({ call, params, readParams: () => ({}) } as never);
      const document = enveloped.parse(params.query);
      const errors = enveloped.validate(enveloped.schema, document) as readonly GraphQLError[];
      if (errors.length > 0) return publish(call, errors);
      return {
        schema: enveloped.schema,
        document,
        operationName: params.operationName ?? undefined,
        variableValues: params.variables ?? undefined,
        contextValue: await enveloped.contextFactory(),
        execute: (args: ExecutionArgs) => whileCounted(signedIn, call, () => enveloped.execute(args)),
        subscribe: enveloped.subscribe,
      } as unknown as Prepared;
    } catch (error) {
      return publish(call, [error]);
    }
  }

  /** Executes an operation that is counted among those under way, unless there are too many. */
  async function whileCounted<Result>(
    signedIn: SignedIn | undefined,
    call: Call,
    execute: () => Result | Promise<Result>,
  ): Promise<Result | ExecutionResult> {
    const release = signedIn === undefined ? () => {} : requests.take(signedIn);
    if (release === undefined) return { errors: [...publish(call, [tooManyRequests(limits.requestsPerPrincipal)])] };
    try {
      return await execute();
    } finally {
      release();
    }
  }

  sockets.on("connection", (socket: WebSocket, request: IncomingMessage, signedIn: SignedIn | undefined) => {
    const extra: Extra = { socket, request, signedIn, client: UNKNOWN_CLIENT, calls: new Map() };
    metrics.socketOpened();
    socket.once("close", () => {
      metrics.socketClosed();
      for (const _ of extra.calls) metrics.operationEnded();
      extra.calls.clear();
    });
    serveSocket(server, socket, extra, {
      pingInterval: limits.pingInterval,
      sendTimeout: limits.sendTimeout,
      bufferedBytes: limits.bufferedBytes,
      hold: (bytes, drop) => unread.hold(extra.signedIn === undefined ? NOBODY : readerOf(extra.signedIn), bytes, drop),
      onSlow: metrics.slowSubscriber,
      onError: (error) => log.debug({ err: error }, "a connection failed"),
    });
  });

  return {
    /** Handles a request to upgrade to a WebSocket. */
    async upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
      if (request.url?.split("?")[0] !== "/graphql") return refuseUpgrade(stream, "404 Not Found");
      if (closing) return refuseUpgrade(stream, "503 Service Unavailable");
      if (!originAllowed(request, publicUrl(), corsOrigins)) return refuseUpgrade(stream, "403 Forbidden");
      upgrading.add(stream);
      stream.once("close", () => upgrading.delete(stream));
      let signedIn: SignedIn | undefined;
      try {
        const presented = credentialsOf(request, publicUrl()) ?? identity.cookie?.(request);
        signedIn = presented && (await identity.authenticate(presented));
      } catch (error) {
        identity.refused?.(error, requestHeadOf(request));
        log.debug({ err: error }, "an upgrade was refused");
        if (!isFinal(error)) return refuseUpgrade(stream, "503 Service Unavailable");
        const wait = await rates.anonymous(identity.addressOf(requestHeadOf(request)));
        return refuseUpgrade(stream, wait === undefined ? "401 Unauthorized" : "429 Too Many Requests");
      }
      // Refused meanwhile, by `close`, or gone.
      if (!upgrading.delete(stream)) return;
      sockets.handleUpgrade(request, stream, head, (socket) => sockets.emit("connection", socket, request, signedIn));
    },
    /**
     * Refuses upgrades from now on, those in progress too. Closes every connection with 1001, and cuts those that do not respond
     * within `milliseconds`.
     */
    async close(milliseconds: number): Promise<void> {
      closing = true;
      for (const stream of upgrading) refuseUpgrade(stream, "503 Service Unavailable");
      upgrading.clear();
      const all = [...sockets.clients];
      const gone = all.map((socket) => new Promise<void>((resolve) => socket.once("close", () => resolve())));
      for (const socket of all) socket.close(1001, "Going away");
      const late = setTimeout(() => {
        for (const socket of all) socket.terminate();
      }, milliseconds);
      await Promise.all(gone);
      clearTimeout(late);
      sockets.close();
    },
  };
}

/** Whether `error` refuses credentials; otherwise they could not be checked, and may be accepted later. */
export function isFinal(error: unknown): boolean {
  return error instanceof AuthenticationError || error instanceof GraphQLError;
}

/** Why a request of a principal who has so many under way is refused. */
export function tooManyRequests(limit: number): GraphQLError {
  const message = `You have ${limit} requests under way. Wait for their responses, and read them.`;
  return rateLimited(message, 1);
}

/** Errors in the form sent to the client, without the extensions for HTTP. */
function formatted(errors: readonly GraphQLError[]) {
  return errors.map((error) => {
    const { extensions, ...rest } = error.toJSON();
    const { http: _, ...published } = extensions ?? {};
    return { ...rest, extensions: published };
  });
}

/** `results`, with an error of their source as a last result: thrown, it would close the whole connection. */
function withErrorAsResult(results: AsyncIterable<ExecutionResult>): AsyncGenerator<ExecutionResult> {
  const source = results[Symbol.asyncIterator]();
  let over = false;
  const next = async (): Promise<IteratorResult<ExecutionResult, undefined>> => {
    if (over) return { done: true, value: undefined };
    try {
      const step = await source.next();
      return step.done === true ? { done: true, value: undefined } : step;
    } catch (error) {
      over = true;
      const located = error instanceof GraphQLError ? error : new GraphQLError("", { originalError: error as Error });
      return { done: false, value: { errors: [located] } };
    }
  };
  const stop = async (): Promise<IteratorResult<ExecutionResult, undefined>> => {
    over = true;
    await source.return?.();
    return { done: true, value: undefined };
  };
  return {
    next,
    return: stop,
    throw: stop,
    [Symbol.asyncIterator]() {
      return this;
    },
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}
