import { createHash } from "node:crypto";
import { calculateJwkThumbprint, EmbeddedJWK, errors, type JWK, jwtVerify } from "jose";
import { z } from "zod";
import type { Proof } from "./authentication.ts";
import { AuthenticationError } from "./errors.ts";

const PROOF_TYPE = "dpop+jwt";
const ALGORITHMS = ["ES256", "EdDSA", "Ed25519", "ES384", "PS256", "RS256"];
const MAX_PROOF = 8 * 1024;
/** Seconds a proof's `iat` may lie before or after our clock. */
export const PROOF_WINDOW = 60;
/** Proofs that are remembered. One key has a quarter of the room, so that one bearer cannot take that of all. */
const ROOM = 400_000;

export interface ProofCheckerOptions {
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
  readonly room?: number | undefined;
}

export interface ProofChecker {
  /**
   * Verifies that `proof` was made for this request and this token with the key whose thumbprint is `key`, and never shown
   * here before. Throws AuthenticationError DPOP_INVALID.
   */
  check(proof: Proof, token: string, key: string): Promise<void>;
}

const claimsSchema = z.object({
  jti: z.string().min(1).max(256),
  htm: z.string(),
  htu: z.string(),
  iat: z.number(),
  ath: z.string(),
});

function invalid(what: string): AuthenticationError {
  return new AuthenticationError("DPOP_INVALID", `the DPoP proof is not valid: ${what}`);
}

/** Proof of possession (RFC 9449, section 4.3). What was shown is remembered by this process alone. */
export function createProofChecker({ now = Date.now, room = ROOM }: ProofCheckerOptions = {}): ProofChecker {
  const isFresh = createReplayMemory(now, room);
  return {
    async check(proof, token, key) {
      const { thumbprint, claims } = await verify(proof.jwt, now());
      if (thumbprint !== key) throw invalid("it was made with another key than the token is bound to");
      const { jti, htm, htu, iat, ath } = claims;
      if (Math.abs(iat * 1000 - now()) > PROOF_WINDOW * 1000) throw invalid("iat is not within a minute of our clock");
      if (htm !== proof.method) throw invalid("htm is another method than the request's");
      const target = addressOf(htu);
      if (target === undefined || target !== addressOf(proof.url)) throw invalid("htu is another address");
      if (ath !== createHash("sha256").update(token).digest("base64url")) throw invalid("ath is another token's hash");
      if (!isFresh(key, jti)) throw invalid("jti was used before");
    },
  };
}

async function verify(jwt: string, now: number) {
  if (jwt.length > MAX_PROOF) throw invalid("it is too long");
  try {
    const { payload, protectedHeader } = await jwtVerify(jwt, EmbeddedJWK, {
      typ: PROOF_TYPE,
      algorithms: ALGORITHMS,
      currentDate: new Date(now),
    });
    // EmbeddedJWK takes nothing but a public key.
    const thumbprint = await calculateJwkThumbprint(protectedHeader.jwk as JWK);
    return { thumbprint, claims: claimsSchema.parse(payload) };
  } catch (error) {
    if (error instanceof z.ZodError) throw invalid(`${String(error.issues[0]?.path[0])} is missing or malformed`);
    // DOMException: members of a key that are no key.
    if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof DOMException) {
      throw invalid("it cannot be verified");
    }
    throw error;
  }
}

/** An http(s) URL as RFC 9449 compares it: normalised (RFC 3986, section 6.2), without query and fragment. */
function addressOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const { protocol, host, pathname } = new URL(url);
  return protocol === "https:" || protocol === "http:" ? `${protocol}//${host}${pathname}` : undefined;
}

/**
 * Remembers what was shown for at least as long as it could be shown again. When there is no more room, nothing is fresh:
 * forgetting would let somebody else's proof through twice.
 */
function createReplayMemory(now: () => number, room: number): (key: string, jti: string) => boolean {
  const span = 2 * PROOF_WINDOW * 1000;
  let since = now();
  let current = new Map<string, Set<string>>();
  let previous = new Map<string, Set<string>>();
  let size = 0;
  let previousSize = 0;
  return (key, jti) => {
    if (now() - since >= span) {
      const late = now() - since >= 2 * span;
      previous = late ? new Map() : current;
      previousSize = late ? 0 : size;
      current = new Map();
      size = 0;
      since = now();
    }
    const shown = current.get(key) ?? new Set();
    const before = previous.get(key);
    if (shown.has(jti) || before?.has(jti) === true) return false;
    if (size + previousSize >= room || shown.size + (before?.size ?? 0) >= room / 4) return false;
    current.set(key, shown.add(jti));
    size += 1;
    return true;
  };
}
