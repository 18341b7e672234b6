import { randomUUID } from "node:crypto";
import { decodeJwt, SignJWT } from "jose";
import type { SignInAssurance } from "../assurance.ts";
import { type Keys, SIGNATURE_ALGORITHM } from "../keys.ts";
import type { Principal } from "../principal.ts";
import { SESSION_TOKEN_TYPE, type TrustedIssuer, trustOurselves } from "../tokens/issuers.ts";

/** Who signs what browsers keep: this installation. */
export const SESSION_ISSUER = "urn:countersign:sessions";

/** A person's browser session. */
export interface BrowserSession {
  readonly principal: Principal;
  /** The session that was recorded: a UUID. */
  readonly sessionId: string;
  /** How the person signed in, and at which issuer. */
  readonly method: string;
  readonly assurance?: SignInAssurance | undefined;
  readonly signedInAt: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
}

export interface SessionTokens {
  /** What the authenticator needs to accept these tokens, in a cookie only. */
  readonly trusted: TrustedIssuer;
  sign(session: BrowserSession): Promise<string>;
  /** The issuer a person signed in at, by a token that was verified before. */
  issuerOf(token: string): string | undefined;
}

/** Tokens in the cookie of a browser: everything a call has to know about a person, signed by us. */
export function createSessionTokens({
  keys,
  audience,
}: {
  readonly keys: Keys;
  readonly audience: string;
}): SessionTokens {
  return {
    trusted: trustOurselves({
      issuer: SESSION_ISSUER,
      audience,
      type: SESSION_TOKEN_TYPE,
      publicKey: keys.issuer.publicKey,
      inCookie: true,
    }),
    sign({ principal, sessionId, method, assurance, signedInAt, expiresAt }) {
      const { organization, kind, displayName, email, emailVerified = false, region, roles, groups } = principal;
      return new SignJWT({
        org: organization,
        kind,
        name: displayName,
        email,
        email_verified: emailVerified,
        region,
        roles,
        groups,
        method,
        assurance,
        sid: sessionId,
        signed_in_at: signedInAt,
      })
        .setProtectedHeader({
          alg: SIGNATURE_ALGORITHM,
          typ: SESSION_TOKEN_TYPE,
          kid: keys.issuer.kid,
        })
        .setSubject(principal.id)
        .setIssuer(SESSION_ISSUER)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime(expiresAt)
        .setJti(randomUUID())
        .sign(keys.issuer.privateKey);
    },
    issuerOf(token) {
      const { signed_in_at: issuer } = decodeJwt(token);
      return typeof issuer === "string" ? issuer : undefined;
    },
  };
}
