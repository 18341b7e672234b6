import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey, type RemoteJWKSet } from "jose";
import { z } from "zod";
import { asError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import { AuthenticationError } from "../errors.ts";
import { isSecureUrl } from "../secure-url.ts";

/** Milliseconds. */
const TIMEOUT = 5_000;
/** After this long the keys are fetched again, so that a key the issuer withdrew is accepted no longer than that. */
const FRESH = 10 * 60_000;
/** How long after a failure the issuer is left alone. */
const BACKOFF = 5_000;
/** For an unknown key the keys are fetched immediately, this many times in a row, then once per LOOK_EVERY. */
const LOOKS = 3;
const LOOK_EVERY = 10_000;
const NEVER = Number.NEGATIVE_INFINITY;
/** Bytes of a discovery document or a key set. */
const MAX_RESPONSE = 512 * 1024;

export interface RemoteKeysOptions {
  readonly issuer: string;
  /** Undefined: the issuer's discovery document names it. */
  readonly jwksUri: string | undefined;
  /** Milliseconds for which keys are used after they were last fetched, while they cannot be fetched again. */
  readonly maxStale: number;
  readonly log?: Pick<Logger, "warn" | "info"> | undefined;
  readonly now?: (() => number) | undefined;
}

const discoverySchema = z.looseObject({
  issuer: z.string(),
  jwks_uri: z.string().refine(isSecureUrl, "must be an https URL"),
});

/**
 * The keys an issuer publishes (RFC 7517), found by OpenID Connect Discovery 1.0, section 4. They are fetched for the first
 * token, when they are old, and for a token with an unknown key; concurrent calls wait for the same request. While the
 * issuer cannot be reached, fetched keys are used until they are `maxStale` old; then its tokens are refused.
 */
export function remoteKeys(options: RemoteKeysOptions): JWTVerifyGetKey {
  const { issuer, maxStale, log, now = Date.now } = options;
  let uri = options.jwksUri;
  let keys: RemoteJWKSet | undefined;
  let fetchedAt = NEVER;
  let failedAt = NEVER;
  let fetching: Promise<boolean> | undefined;
  // Keys that may not grow as old as that are fetched again before they have to be given up.
  const fresh = Math.min(FRESH, maxStale / 2);
  const mayLook = createAllowance(LOOKS, LOOK_EVERY, now);

  async function fetchKeys(): Promise<boolean> {
    const startedAt = now();
    try {
      uri ??= await discover(issuer);
      // Decided here, because jose would fetch again at every miss while an issuer is down.
      const fetched = createRemoteJWKSet(new URL(uri), {
        timeoutDuration: TIMEOUT,
        cacheMaxAge: Number.POSITIVE_INFINITY,
        cooldownDuration: Number.POSITIVE_INFINITY,
        [customFetch]: fetchBounded,
      });
      await fetched.reload();
      keys = fetched;
      fetchedAt = startedAt;
      failedAt = NEVER;
      log?.info({ issuer }, "the keys of an issuer were fetched");
      return true;
    } catch (error) {
      // Perhaps they have moved.
      uri = options.jwksUri;
      failedAt = now();
      log?.warn({ issuer, err: asError(error) }, "the keys of an issuer cannot be fetched");
      return false;
    }
  }

  /** Returns whether the keys are new; never rejects. */
  async function refresh(): Promise<boolean> {
    if (fetching === undefined && now() - failedAt < BACKOFF) return false;
    fetching ??= fetchKeys().finally(() => {
      fetching = undefined;
    });
    return fetching;
  }

  return async (header, token) => {
    const usable = () => keys !== undefined && now() - fetchedAt <= maxStale;
    if (now() - fetchedAt >= fresh) {
      const refreshing = refresh();
      // An issuer that is known to be away keeps nobody waiting for whom there are keys to go by.
      if (failedAt === NEVER || !usable()) await refreshing;
    }
    const held = keys;
    if (held === undefined || !usable()) throw unavailable();
    try {
      return await held(header, token);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    if (fetching === undefined && !mayLook()) throw unknownKey();
    if (!(await refresh())) throw unavailable();
    try {
      return await (keys ?? held)(header, token);
    } catch (error) {
      throw isMissing(error) ? unknownKey() : error;
    }
  };
}

/** Whether a key is not there: or, for a DOMException, what is there is no key. */
function isMissing(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey || error instanceof DOMException;
}

function unknownKey(): AuthenticationError {
  return new AuthenticationError("UNKNOWN_KEY", "the bearer token is not one this server accepts");
}

function unavailable(): AuthenticationError {
  return new AuthenticationError(
    "KEYS_UNAVAILABLE",
    "the token cannot be verified now, because the keys of its issuer cannot be fetched; try again in a few seconds",
  );
}

/** The address of the issuer's key set. */
async function discover(issuer: string): Promise<string> {
  const response = await fetchBounded(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, {
    method: "GET",
    headers: new Headers({ accept: "application/json" }),
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT),
  });
  if (response.status !== 200)
    throw new Error(`the request for the discovery document failed with status ${response.status}`);
  const parsed = discoverySchema.safeParse(await response.json());
  if (!parsed.success) throw new Error("the discovery document has no issuer or no https jwks_uri");
  // Section 4.3: a document of another issuer could substitute its keys.
  if (parsed.data.issuer !== issuer) throw new Error("the discovery document is another issuer's");
  return parsed.data.jwks_uri;
}

/** `fetch` for a response of at most MAX_RESPONSE bytes, which is read completely. */
async function fetchBounded(url: string, options: RequestInit): Promise<Response> {
  const response = await fetch(url, options);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  // Leaving the loop cancels the rest.
  for await (const part of response.body ?? []) {
    size += part.byteLength;
    if (size > MAX_RESPONSE) throw new Error(`the response is longer than ${MAX_RESPONSE} bytes`);
    parts.push(part);
  }
  const { status } = response;
  return status === 200 ? new Response(new Blob(parts), { status }) : new Response(null, { status });
}

/** Allows something `burst` times in a row, and once more every `period` milliseconds. */
function createAllowance(burst: number, period: number, now: () => number): () => boolean {
  let left = burst;
  let since = now();
  return () => {
    const gained = Math.floor((now() - since) / period);
    left = Math.min(burst, left + gained);
    since += gained * period;
    if (left === 0) return false;
    left -= 1;
    return true;
  };
}
