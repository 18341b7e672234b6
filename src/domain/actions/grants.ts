import { sign as signBytes } from "node:crypto";
import { compactVerify, decodeJwt, errors } from "jose";
import { validate as isUuid } from "uuid";
import { z } from "zod";
import { sha256Hex } from "../../facts/hash.ts";
import { SIGNATURE_ALGORITHM, type SigningKey } from "../identity/keys.ts";
import type { PresentedGrant } from "./decide/command.ts";

/** The `typ` and `iss` of a grant. No other token of ours has either. */
export const GRANT_TYPE = "countersign-grant+jwt";
export const GRANT_ISSUER = "urn:countersign:grants";

/** Longer than any grant of ours: agent ids are at most 200 characters. */
const MAX_TOKEN = 4096;
const decoder = new TextDecoder("utf-8", { fatal: true });

export interface GrantTerms {
  readonly id: string;
  readonly actionId: string;
  /** Id of the one principal that may redeem it. */
  readonly audience: string;
  /** RFC 7638 thumbprint of the key whose holder alone may redeem it; undefined: the principal is enough. */
  readonly key?: string | undefined;
  readonly digest: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

export interface SignedGrant {
  readonly token: string;
  /** 64 hex digits of the SHA-256 of the token: all that is kept of it. */
  readonly hash: string;
}

export interface Grants {
  sign(terms: GrantTerms): Promise<SignedGrant>;
  /** The grant; undefined when we did not sign it or it was altered. Does not check expiry, which uses the database's clock. */
  verify(token: string): Promise<PresentedGrant | undefined>;
}

const payload = z.object({
  iss: z.literal(GRANT_ISSUER),
  aud: z.string().min(1),
  jti: z.uuid(),
  action: z.uuid(),
  digest: z.string(),
  region: z.string().optional(),
  cnf: z.object({ jkt: z.string().min(1) }).optional(),
  iat: z.int(),
  exp: z.int(),
});

/**
 * Grants are compact JWS (RFC 7515) over `key`, EdDSA only.
 *
 * @param region where they are redeemed; undefined: in the home region, which their tokens do not name
 */
export function createGrants(key: SigningKey, region?: string): Grants {
  const header = base64url(JSON.stringify({ alg: SIGNATURE_ALGORITHM, typ: GRANT_TYPE, kid: key.kid }));
  return {
    async sign({ id, actionId, audience, key: holder, digest, issuedAt, expiresAt }) {
      const claims = {
        iss: GRANT_ISSUER,
        aud: audience,
        jti: id,
        action: actionId,
        digest,
        ...(region === undefined ? {} : { region }),
        // RFC 7800, as RFC 9449 (section 6) uses it for tokens.
        ...(holder === undefined ? {} : { cnf: { jkt: holder } }),
        iat: Math.floor(issuedAt.getTime() / 1000),
        // Whole seconds, as most readers expect; the state row holds the exact instant and decides.
        exp: Math.ceil(expiresAt.getTime() / 1000),
      };
      // jose signs with WebCrypto, in another thread, which takes twice the CPU of signing here.
      const input = `${header}.${base64url(JSON.stringify(claims))}`;
      const token = `${input}.${signBytes(null, Buffer.from(input), key.privateKey).toString("base64url")}`;
      return { token, hash: sha256Hex(token) };
    },
    async verify(token) {
      if (token.length > MAX_TOKEN) return undefined;
      try {
        const verified = await compactVerify(token, key.publicKey, { algorithms: [SIGNATURE_ALGORITHM] });
        if (verified.protectedHeader.typ !== GRANT_TYPE) return undefined;
        const claims = payload.parse(JSON.parse(decoder.decode(verified.payload)));
        // Two regions may have actions of one id: one key of a caller makes it in each.
        if (claims.region !== region) return undefined;
        const { aud, jti, action, digest, cnf, exp } = claims;
        const expiresAt = new Date(exp * 1000);
        return { id: jti, actionId: action, audience: aud, key: cnf?.jkt, digest, expiresAt, hash: sha256Hex(token) };
      } catch (error) {
        if (isMalformed(error)) return undefined;
        throw error;
      }
    },
  };
}

/** The action that a token names, unverified: only for the entry that records its refusal. */
export function claimedAction(token: string): string | undefined {
  const action = claimOf(token, "action");
  return action !== undefined && isUuid(action) ? action : undefined;
}

/** The region that a token names, unverified: where it is verified. Undefined for the home region. */
export function claimedRegion(token: string): string | undefined {
  return claimOf(token, "region");
}

function claimOf(token: string, name: string): string | undefined {
  if (token.length > MAX_TOKEN) return undefined;
  try {
    const claim = decodeJwt(token)[name];
    return typeof claim === "string" ? claim : undefined;
  } catch (error) {
    if (isMalformed(error)) return undefined;
    throw error;
  }
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}

function isMalformed(error: unknown): boolean {
  return (
    error instanceof errors.JOSEError ||
    error instanceof z.ZodError ||
    error instanceof SyntaxError ||
    error instanceof TypeError
  );
}
