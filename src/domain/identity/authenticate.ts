import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import { LRUCache } from "lru-cache";
import type { Authentication, Credentials } from "./authentication.ts";
import { AuthenticationError, type AuthenticationReason } from "./errors.ts";
import type { Principal } from "./principal.ts";
import { BUILTIN_ISSUER } from "./tokens/builtin-issuer.ts";
import { readToken } from "./tokens/claim-values.ts";
import { createProofChecker } from "./tokens/dpop.ts";
import type { TrustedIssuer } from "./tokens/issuers.ts";
import type { UsedOnce } from "./used-once.ts";

export interface Authenticator {
  /** Returns the same object for the same token. Throws AuthenticationError; of a proof also what `ProofChecker` throws. */
  authenticate(credentials: Credentials): Promise<Authentication>;
}

export interface AuthenticatorOptions {
  readonly issuers: readonly TrustedIssuer[];
  /** Proofs that were used, of all servers. Undefined: tokens that are bound to a key are refused. */
  readonly usedOnce?: UsedOnce | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
  /** Tokens whose verification is remembered until they expire: it costs as much as a request does otherwise. */
  readonly remembered?: number | undefined;
}

/** A token with more characters is not looked at. */
export const MAX_TOKEN = 16 * 1024;
/** Characters of all the tokens that are remembered, and of those refused. */
const MAX_REMEMBERED = 64 * 1024 * 1024;
const MAX_REFUSED = 8 * 1024 * 1024;
/** Milliseconds after which a remembered token is verified again: its issuer may have withdrawn the key since. */
const VERIFIED_FOR = 60_000;
/** Milliseconds for which a token that was refused is refused unseen. */
const REFUSED_FOR = 10_000;

const NOT_ACCEPTED = "the bearer token is not one this server accepts";
const NO_DEMO_TOKENS =
  "`countersign token` made this token, and this server takes tokens of its identity providers only: get one from them";
const EXPIRED = "the token has expired; ask its issuer for a new one";

/** Members of ID tokens, logout tokens and security events, which may have the same `typ` as access tokens. */
const FOREIGN_CLAIMS = ["nonce", "at_hash", "c_hash", "s_hash", "events"];

/** A token that was verified, and what has to be looked at each time. */
interface Verified {
  readonly authentication: Authentication;
  /** Milliseconds since the epoch. */
  readonly verifiedAt: number;
  readonly inCookie: boolean;
}

interface Refusal {
  readonly until: number;
  readonly error: AuthenticationError;
}

/**
 * Verifies tokens: algorithm, type, issuer and audience are pinned, expiry is looked at on every call, and so is the proof
 * for a token that is bound to a key.
 */
export function createAuthenticator({
  issuers,
  usedOnce,
  now = Date.now,
  remembered = 10_000,
}: AuthenticatorOptions): Authenticator {
  const trusted = new Map(issuers.map((issuer) => [issuer.issuer, issuer]));
  const proofs = createProofChecker({ now, usedOnce });
  const known = tokenCache<Verified>(remembered, MAX_REMEMBERED);
  const refused = tokenCache<Refusal>(remembered, MAX_REFUSED);
  const underWay = new Map<string, Promise<Verified>>();

  /** Callers who come with one token at once share one verification. */
  async function verifyOnce(token: string, before: Verified | undefined): Promise<Verified> {
    const refusal = refused.get(token);
    if (refusal !== undefined && now() < refusal.until) throw again(refusal.error);
    let verifying = underWay.get(token);
    if (verifying === undefined) {
      verifying = verify(token, trusted, now()).finally(() => underWay.delete(token));
      underWay.set(token, verifying);
    }
    try {
      const verified = await verifying;
      // What is known of a principal is kept by the object.
      const kept = before === undefined ? verified : { ...verified, authentication: before.authentication };
      known.set(token, kept);
      return kept;
    } catch (error) {
      known.delete(token);
      if (error instanceof AuthenticationError && isLasting(error.reason)) {
        refused.set(token, { until: now() + REFUSED_FOR, error });
      }
      throw error;
    }
  }

  return {
    async authenticate({ scheme, token, proof }) {
      if (token.length > MAX_TOKEN) throw new AuthenticationError("BAD_TOKEN", NOT_ACCEPTED);
      const before = known.get(token);
      const isFresh = before !== undefined && now() - before.verifiedAt < VERIFIED_FOR;
      const { authentication, inCookie } = isFresh ? before : await verifyOnce(token, before);
      const { principal, key, expiresAt } = authentication;
      if (expiresAt * 1000 <= now()) {
        known.delete(token);
        throw new AuthenticationError("TOKEN_EXPIRED", EXPIRED, { principal });
      }
      if (inCookie !== (scheme === "Cookie")) throw new AuthenticationError("BAD_TOKEN", NOT_ACCEPTED, { principal });
      if (scheme === "DPoP") {
        if (key === undefined) throw refusal("DPOP_INVALID", "the token is bound to no key: it is a Bearer token");
        if (proof === undefined) throw refusal("DPOP_REQUIRED", "a DPoP proof has to come with the token");
        await proofs.check(proof, { token, key, organization: principal.organization }).catch((error: unknown) => {
          throw error instanceof AuthenticationError ? refusal(error.reason, error.message) : error;
        });
      } else if (key !== undefined) {
        throw refusal("DPOP_REQUIRED", "the token is bound to a key: present it with the DPoP scheme and a proof");
      }
      return authentication;

      function refusal(reason: AuthenticationReason, message: string): AuthenticationError {
        return new AuthenticationError(reason, message, { principal });
      }
    },
  };
}

/** A cache by token. Tokens may be long, so their total length is bounded too. */
function tokenCache<Value extends object>(max: number, characters: number): LRUCache<string, Value> {
  return new LRUCache({
    max,
    maxSize: characters,
    sizeCalculation: (_, token) => token.length + 1,
  });
}

/** Whether verifying the token again within seconds would give the same result. */
function isLasting(reason: AuthenticationReason): boolean {
  return reason !== "TOKEN_NOT_YET_VALID" && reason !== "UNKNOWN_KEY" && reason !== "KEYS_UNAVAILABLE";
}

/** A new error like a cached one, for another call. */
function again({ reason, message, principal }: AuthenticationError): AuthenticationError {
  return new AuthenticationError(reason, message, { principal });
}

async function verify(token: string, trusted: ReadonlyMap<string, TrustedIssuer>, now: number): Promise<Verified> {
  const issuer = issuerOf(token, trusted);
  try {
    const { payload } = await jwtVerify(token, issuer.key, {
      algorithms: [...issuer.algorithms],
      issuer: issuer.issuer,
      audience: [...issuer.audience],
      requiredClaims: ["sub", "exp", "iat"],
      clockTolerance: issuer.clockTolerance,
      currentDate: new Date(now),
    });
    if (FOREIGN_CLAIMS.some((claim) => Object.hasOwn(payload, claim))) throw notAccepted("BAD_TOKEN");
    const { expires, tokenId, key } = readToken(payload);
    const { principal, ...identity } = issuer.read(payload);
    if (issuer.boundOnly && key === undefined) {
      const message = "tokens of this issuer have to be bound to a key of their bearer (RFC 9449)";
      throw new AuthenticationError("DPOP_REQUIRED", message, { principal });
    }
    const authentication = {
      principal,
      issuer: issuer.issuer,
      expiresAt: expires + issuer.clockTolerance,
      ...(tokenId === undefined ? {} : { tokenId }),
      ...identity,
      ...(key === undefined ? {} : { key }),
    };
    return { authentication, verifiedAt: now, inCookie: issuer.inCookie };
  } catch (error) {
    throw asRefusal(error, issuer);
  }
}

/** The issuer a token names, if it is one that signs tokens such as this. Nothing of the token is verified yet. */
function issuerOf(token: string, trusted: ReadonlyMap<string, TrustedIssuer>): TrustedIssuer {
  let iss: unknown;
  let typ: unknown;
  try {
    ({ iss } = decodeJwt(token));
    ({ typ } = decodeProtectedHeader(token));
  } catch (error) {
    // Messages of jose may quote a malformed token.
    if (error instanceof errors.JOSEError || error instanceof TypeError) throw notAccepted("BAD_TOKEN");
    throw error;
  }
  const issuer = typeof iss === "string" ? trusted.get(iss) : undefined;
  if (issuer === undefined) {
    throw iss === BUILTIN_ISSUER
      ? new AuthenticationError("UNKNOWN_ISSUER", NO_DEMO_TOKENS)
      : notAccepted("UNKNOWN_ISSUER");
  }
  // RFC 7515, section 4.1.9: a type without a slash is one of `application/`.
  const type = typeof typ === "string" ? typ.toLowerCase().replace(/^application\//, "") : undefined;
  if (type === undefined || !issuer.types.includes(type)) throw notAccepted("BAD_TOKEN");
  return issuer;
}

function notAccepted(reason: AuthenticationReason): AuthenticationError {
  return new AuthenticationError(reason, NOT_ACCEPTED);
}

/** The error for a failed verification. Claims are mentioned only after the signature was verified. */
function asRefusal(error: unknown, issuer: TrustedIssuer): unknown {
  if (error instanceof errors.JWTExpired) {
    return new AuthenticationError("TOKEN_EXPIRED", EXPIRED, {
      principal: principalOf(error.payload, issuer),
    });
  }
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefusal(error, issuer);
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return new AuthenticationError("BAD_SIGNATURE", issuer.onForeignKey ?? NOT_ACCEPTED);
  }
  if (error instanceof errors.JOSEError || error instanceof TypeError) return notAccepted("BAD_TOKEN");
  return error;
}

function claimRefusal(
  { claim, reason, payload }: errors.JWTClaimValidationFailed,
  issuer: TrustedIssuer,
): AuthenticationError {
  const failed = reason === "check_failed";
  if (failed && claim === "nbf") {
    const principal = principalOf(payload, issuer);
    return new AuthenticationError("TOKEN_NOT_YET_VALID", "the token is not valid yet", { principal });
  }
  if (claim === "aud") {
    const principal = principalOf(payload, issuer);
    return new AuthenticationError("WRONG_AUDIENCE", "the token is for another audience", { principal });
  }
  return new AuthenticationError("BAD_CLAIMS", `the token's claim ${claim} is missing or invalid`);
}

/** The principal of an authentic token that was refused; undefined when its claims are invalid. */
function principalOf(claims: JWTPayload, issuer: TrustedIssuer): Principal | undefined {
  try {
    return issuer.read(claims).principal;
  } catch (error) {
    if (error instanceof AuthenticationError) return undefined;
    throw error;
  }
}
