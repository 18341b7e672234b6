import { type CryptoKey, importJWK } from "jose";
import { z } from "zod";
import { asError } from "../../../errors.ts";
import { parseJson } from "../../../facts/parse-json.ts";
import type { Logger } from "../../../log.ts";
import { isSecureUrl } from "../../identity/secure-url.ts";
import type { Outbound } from "../outbound-request.ts";
import type { TeamsEndpoints } from "./settings.ts";

/** Milliseconds after which keys are fetched again. */
const FRESH = 12 * 3_600_000;
/** For how long keys are used while they cannot be fetched again: Microsoft asks for no more than a day. */
const MAX_AGE = 24 * 3_600_000;
/** Time between two attempts to fetch them, which is what a caller with invented key ids can cause. */
const PAUSE = 15_000;
const MAX_KEYS = 100;

const documentSchema = z.object({ issuer: z.string(), jwks_uri: z.string().refine(isSecureUrl) });
const keySchema = z.looseObject({
  kid: z.string().max(500),
  kty: z.literal("RSA"),
  use: z.literal("sig").optional(),
  n: z.string().max(2_000),
  e: z.string().max(20),
  endorsements: z.array(z.string()).optional(),
});
const keysSchema = z.object({ keys: z.array(z.unknown()).max(MAX_KEYS) });

export interface SigningKey {
  readonly key: CryptoKey;
  /** The channels whose requests it may sign; undefined: it does not say. */
  readonly endorsements: readonly string[] | undefined;
}

/** The keys cannot be fetched, so nothing can be verified. */
export class KeysUnavailableError extends Error {
  override readonly name = "KeysUnavailableError";
}

export interface SigningKeysOptions {
  readonly outbound: Outbound;
  readonly endpoints: TeamsEndpoints;
  readonly now: () => number;
  readonly log: Pick<Logger, "info" | "warn">;
}

/** Returns the key of an id; undefined when it is not published. Throws KeysUnavailableError. */
export type SigningKeys = (kid: string) => Promise<SigningKey | undefined>;

/**
 * The keys that the Bot Framework signs requests to bots with
 * (https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication). They are fetched for the first request,
 * when they are old, and for an id that is not among them, at most once in PAUSE.
 */
export function createSigningKeys({ outbound, endpoints, now, log }: SigningKeysOptions): SigningKeys {
  const { openIdUrl, tokenIssuer } = endpoints;
  let keys: ReadonlyMap<string, SigningKey> = new Map();
  let fetchedAt = Number.NEGATIVE_INFINITY;
  let triedAt = Number.NEGATIVE_INFINITY;
  let fetching: Promise<void> | undefined;

  async function read(url: string): Promise<unknown> {
    const { status, body } = await outbound({
      method: "GET",
      url,
      headers: { accept: "application/json" },
      timeout: 5_000,
    });
    if (status !== 200) throw new Error(`the request for ${url} failed with status ${status}`);
    return parseJson(body);
  }

  async function fetchKeys(): Promise<void> {
    const startedAt = now();
    triedAt = startedAt;
    try {
      const { issuer, jwks_uri } = documentSchema.parse(await read(openIdUrl));
      if (issuer !== tokenIssuer)
        throw new Error(`the document of keys is of ${issuer.slice(0, 200)}, not of ${tokenIssuer}`);
      const found = new Map<string, SigningKey>();
      for (const published of keysSchema.parse(await read(jwks_uri)).keys) {
        const jwk = keySchema.safeParse(published).data;
        if (jwk === undefined) continue;
        const { kid, kty, n, e, endorsements } = jwk;
        // One that is no key must not keep the others away.
        const key = await importJWK({ kty, n, e }, "RS256").catch(() => undefined);
        if (key !== undefined && !(key instanceof Uint8Array)) found.set(kid, { key, endorsements });
      }
      keys = found;
      fetchedAt = startedAt;
      log.info({ keys: found.size }, "the keys of the Bot Framework were fetched");
    } catch (error) {
      log.warn({ err: asError(error) }, "the keys of the Bot Framework cannot be fetched");
    }
  }

  /** Fetches the keys, unless they were just asked for; never rejects. */
  async function refresh(): Promise<void> {
    if (fetching === undefined && now() - triedAt < PAUSE) return;
    fetching ??= fetchKeys().finally(() => {
      fetching = undefined;
    });
    await fetching;
  }

  return async (kid) => {
    if (now() - fetchedAt >= FRESH) await refresh();
    const known = keys.get(kid);
    if (known === undefined) await refresh();
    if (now() - fetchedAt >= MAX_AGE) throw new KeysUnavailableError("the keys of the Bot Framework cannot be fetched");
    return known ?? keys.get(kid);
  };
}
