import type { IncomingMessage } from "node:http";
import { identifyClient } from "../domain/identity/client-identity.ts";
import type { Caller, Principal } from "../domain/identity/principal.ts";
import { graphqlError } from "../graphql/errors.ts";
import { LedgerUnavailableError } from "../ledger/errors.ts";
import { traceIdFor } from "./trace.ts";

/** A token that was believed. `expiresAt` is in seconds since the epoch. */
export interface SignedIn {
  readonly principal: Principal;
  readonly expiresAt: number;
}

/** Throws AuthenticationError when the token is not to be believed. */
export type Authenticate = (token: string) => Promise<SignedIn>;

/** One call, over whichever transport: who makes it, and what is worth a line in the log. */
export interface Call {
  readonly caller: Caller | undefined;
  readonly traceId: string;
  readonly ends: () => AbortSignal;
  readonly onRefusal: (code: string) => void;
  /** Filled in as the call goes on, for the log and the metrics. */
  readonly seen: { operation?: string; name?: string; readonly codes: string[] };
}

/** The longest a timer of Node can run. */
const LONGEST_TIMER = 2 ** 31 - 1;

export function millisecondsUntil(expiresAt: number): number {
  return Math.min(Math.max(0, expiresAt * 1000 - Date.now()), LONGEST_TIMER);
}

/** Aborts, with the error to tell, when the token expires or the server stops. */
function endOf(expiresAt: number | undefined, stopping: AbortSignal): AbortSignal {
  const ends = new AbortController();
  const stop = () =>
    ends.abort(new LedgerUnavailableError("the server is stopping; continue from your last cursor", 1));
  if (stopping.aborted) stop();
  else stopping.addEventListener("abort", stop, { once: true, signal: ends.signal });
  if (expiresAt !== undefined) {
    const expired = AbortSignal.timeout(millisecondsUntil(expiresAt));
    const tell = () =>
      ends.abort(graphqlError("UNAUTHENTICATED", "The token has expired: ask its issuer for a new one."));
    expired.addEventListener("abort", tell, { once: true, signal: ends.signal });
  }
  return ends.signal;
}

export interface CallOptions {
  readonly request: Pick<IncomingMessage, "headers">;
  readonly signedIn: SignedIn | undefined;
  readonly stopping: AbortSignal;
  readonly onRefusal: (code: string) => void;
}

export function createCall({ request: { headers }, signedIn, stopping, onRefusal }: CallOptions): Call {
  const traceId = traceIdFor(typeof headers.traceparent === "string" ? headers.traceparent : undefined);
  const client = identifyClient({ get: (name) => first(headers[name]) });
  return {
    caller: signedIn && { principal: signedIn.principal, client, traceId },
    traceId,
    ends: () => endOf(signedIn?.expiresAt, stopping),
    onRefusal,
    seen: { codes: [] },
  };
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
