import type { IncomingMessage } from "node:http";
import type { Authentication, Credentials } from "../domain/identity/authentication.ts";
import type { Caller, ClientIdentity } from "../domain/identity/principal.ts";
import { graphqlError } from "../graphql/base/errors.ts";
import { LedgerUnavailableError } from "../ledger/errors.ts";
import type { Rates } from "./rates.ts";
import { traceIdFor } from "./trace.ts";

/** An authenticated caller who may use the API. */
export type SignedIn = Authentication;

/** The parts of a request that identify the client and its address. */
export interface RequestHead {
  readonly method: string;
  /** As in the request line. */
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  /** Address of the peer of the connection. */
  readonly remoteAddress: string | undefined;
}

/** How the transports authenticate and identify callers. */
export interface CallIdentity {
  /** Throws AuthenticationError when the credentials are not valid, or their owner is suspended. */
  authenticate(credentials: Credentials): Promise<SignedIn>;
  /** A caller who was authenticated before, with the groups and roles that they have now. Throws as `authenticate` does. */
  current?(signedIn: SignedIn): Promise<SignedIn>;
  /** The same, as a decision needs them. Throws ProviderUnavailableError, too. */
  forDecision?(signedIn: SignedIn): Promise<SignedIn>;
  /** The credentials in a browser's cookie, if the cookie is accepted in this request. */
  cookie?(request: IncomingMessage): Credentials | undefined;
  /** The same for a page without personal data. */
  pageCookie?(request: IncomingMessage): Credentials | undefined;
  /** Path at which people sign in with a browser; undefined: nobody can. */
  readonly signInAt?: string | undefined;
  /** Calls back once when the owner is suspended or the token revoked. Returns a function that stops watching. */
  watch?(signedIn: SignedIn, onRevoked: () => void): () => void;
  /** Which client and model called. A promise only where a signature has to be verified. */
  identify(request: RequestHead, signedIn: SignedIn | undefined): ClientIdentity | Promise<ClientIdentity>;
  /** The address of the caller, behind trusted proxies. */
  addressOf(request: RequestHead): string | undefined;
  /** Called for each refused credential. */
  refused?(error: unknown, request: RequestHead): void;
}

/** One call over any transport: its caller, and what is logged of it. */
export interface Call {
  readonly caller: Caller | undefined;
  readonly traceId: string;
  /** The caller with the groups and roles that a decision needs. Throws AuthenticationError, ProviderUnavailableError. */
  readonly forDecision: () => Promise<Caller | undefined>;
  /** A signal that aborts when a subscription of the call must end. Releases its resources when `over` aborts. */
  readonly ends: (over: AbortSignal) => AbortSignal;
  readonly onRefusal: (code: string) => void;
  /** Counts changes that the call is about to make. Returns the seconds to wait when its caller makes too many. */
  readonly mayChange: (changes: number) => Promise<number | undefined>;
  /** Filled in during the call, for the log and the metrics. */
  readonly seen: { operation?: string; name?: string; readonly codes: string[] };
}

/** Milliseconds the longest timer of Node can wait. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Calls back at `expiresAt` (seconds since the epoch); does not keep the process alive. Returns a function that cancels. */
export function whenExpired(expiresAt: number, onExpired: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = () => {
    const left = Math.max(0, expiresAt * 1000 - Date.now());
    timer = setTimeout(left > LONGEST_TIMER ? wait : onExpired, Math.min(left, LONGEST_TIMER)).unref();
  };
  wait();
  return () => clearTimeout(timer);
}

/** Aborts with an error for the client when the token expires or is revoked or the server stops, unless `over` aborts first. */
function endOf({ signedIn, stopping, watched }: CallOptions, over: AbortSignal): AbortSignal {
  const revoked = watched?.();
  const ends = new AbortController();
  if (over.aborted) return ends.signal;
  // The server's signal outlives the call: the listeners of the call must be removed from it.
  const listening = new AbortController();
  const release = () => listening.abort();
  const once = { once: true, signal: listening.signal } as const;
  const end = (error: Error) => {
    release();
    ends.abort(error);
  };
  over.addEventListener("abort", release, once);
  const when = (signal: AbortSignal, error: () => Error) => {
    if (signal.aborted) end(error());
    else signal.addEventListener("abort", () => end(error()), once);
  };
  if (signedIn !== undefined) {
    const expired = () => end(graphqlError("UNAUTHENTICATED", "The token has expired: ask its issuer for a new one."));
    listening.signal.addEventListener("abort", whenExpired(signedIn.expiresAt, expired), { once: true });
  }
  when(stopping, () => new LedgerUnavailableError("the server is stopping; continue from your last cursor", 1));
  if (revoked !== undefined) {
    when(revoked, () => graphqlError("UNAUTHENTICATED", "Your access has ended: the token or its owner was revoked."));
  }
  return ends.signal;
}

export interface CallOptions {
  /** Undefined: what the caller was authenticated with is as good for a decision. */
  readonly forDecision: CallIdentity["forDecision"];
  readonly facts: RequestHead;
  readonly signedIn: SignedIn | undefined;
  /** Which client and model called, and from where. */
  readonly client: ClientIdentity;
  readonly address: string | undefined;
  readonly stopping: AbortSignal;
  /**
   * Admits a stream, once for any number of calls. Returns a signal that aborts when the token is revoked. Throws
   * RATE_LIMITED. Undefined: the connection of the call is closed instead.
   */
  readonly watched?: (() => AbortSignal | undefined) | undefined;
  readonly onRefusal: (code: string) => void;
  readonly rates: Pick<Rates, "change" | "refused">;
}

export function requestHeadOf(request: IncomingMessage): RequestHead {
  const { method = "GET", url = "/", headers, rawHeaders, socket } = request;
  return { method, url, headers, rawHeaders, remoteAddress: socket.remoteAddress };
}

export function createCall(options: CallOptions): Call {
  const { facts, signedIn, client, address, onRefusal, rates, forDecision } = options;
  const { traceparent } = facts.headers;
  const traceId = traceIdFor(typeof traceparent === "string" ? traceparent : undefined);
  const callerOf = ({ principal, method, assurance, key, sessionId, expiresAt }: SignedIn): Caller => ({
    principal,
    client,
    traceId,
    method,
    assurance,
    address,
    key,
    sessionId,
    expiresAt,
  });
  const caller = signedIn && callerOf(signedIn);
  return {
    caller,
    async forDecision() {
      if (signedIn?.sessionId === undefined || forDecision === undefined) return caller;
      return callerOf(await forDecision(signedIn));
    },
    traceId,
    ends: (over) => endOf(options, over),
    onRefusal(code) {
      onRefusal(code);
      if (signedIn !== undefined) rates.refused(signedIn);
    },
    mayChange: async (changes) => (signedIn === undefined ? undefined : rates.change(signedIn, changes)),
    seen: { codes: [] },
  };
}
