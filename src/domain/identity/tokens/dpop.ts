import { createHash } from "node:crypto";
import { calculateJwkThumbprint, EmbeddedJWK, errors, type JWK, jwtVerify } from "jose";
import { z } from "zod";
import type { Proof } from "../authentication.ts";
import { AuthenticationError, TooManyProofsError } from "../errors.ts";
import type { UsedOnce } from "../used-once.ts";

const PROOF_TYPE = "dpop+jwt";
const ALGORITHMS = ["ES256", "EdDSA", "Ed25519", "ES384", "PS256", "RS256"];
const MAX_PROOF = 8 * 1024;
/** Seconds a proof's `iat` may lie before or after our clock. */
export const PROOF_WINDOW = 60;

export interface ProofCheckerOptions {
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
  /** Undefined: no proof is accepted. */
  readonly usedOnce?: UsedOnce | undefined;
}

export interface ProofChecker {
  /**
   * Verifies that `proof` was made for this request and this token with the key whose thumbprint is `key`, and never shown
   * to any server before. Throws AuthenticationError DPOP_INVALID, TooManyProofsError, LedgerUnavailableError.
   */
  check(proof: Proof, of: ProvenToken): Promise<void>;
}

/** The token that a proof came with, which was verified. */
export interface ProvenToken {
  readonly token: string;
  /** RFC 7638 thumbprint of the key that it is bound to. */
  readonly key: string;
  readonly organization: string;
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

/** Proof of possession (RFC 9449, section 4.3). What was shown to one server is refused by all. */
export function createProofChecker({ now = Date.now, usedOnce }: ProofCheckerOptions): ProofChecker {
  return {
    async check(proof, { token, key, organization }) {
      if (usedOnce === undefined) throw invalid("proofs are not accepted here");
      const { thumbprint, claims } = await verify(proof.jwt, now());
      if (thumbprint !== key) throw invalid("it was made with another key than the token is bound to");
      const { jti, htm, htu, iat, ath } = claims;
      if (Math.abs(iat * 1000 - now()) > PROOF_WINDOW * 1000) throw invalid("iat is not within a minute of our clock");
      if (htm !== proof.method) throw invalid("htm is another method than the request's");
      const target = addressOf(htu);
      if (target === undefined || target !== addressOf(proof.url)) throw invalid("htu is another address");
      if (ath !== createHash("sha256").update(token).digest("base64url")) throw invalid("ath is another token's hash");
      const use = { scope: `proof ${organization}`, holder: key, id: jti, until: iat + PROOF_WINDOW, madeAt: iat };
      switch (await usedOnce.use(use)) {
        case "USED":
          throw invalid("jti was used before");
        case "OVER":
          throw invalid("it is over by the clock of the database");
        case "FULL":
          throw new TooManyProofsError();
        case "FIRST":
      }
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
