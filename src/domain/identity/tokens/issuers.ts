import type { CryptoKey, JWTVerifyGetKey } from "jose";
import type { Logger } from "../../../log.ts";
import type { IssuerSettings } from "../identity-file.ts";
import { SIGNATURE_ALGORITHM } from "../keys.ts";
import type { ClaimsReader } from "./claim-values.ts";
import { readerFor } from "./claims.ts";
import { readHouseClaims } from "./house-claims.ts";
import { remoteKeys } from "./issuer-keys.ts";

/** The `typ` of an access token (RFC 9068): a grant, or any other JWT of ours, can never be used as one. */
export const ACCESS_TOKEN_TYPE = "at+jwt";
/** The `typ` of what our own browser sessions keep in their cookie. */
export const SESSION_TOKEN_TYPE = "session+jwt";

/** An accepted issuer, with everything its tokens are checked against. */
export interface TrustedIssuer {
  /** `iss`, exactly. */
  readonly issuer: string;
  /** One of these must be in `aud`. */
  readonly audience: readonly string[];
  readonly algorithms: readonly string[];
  /** Values of `typ` that are access tokens of this issuer, in lower case. */
  readonly types: readonly string[];
  /** Seconds the issuer's clock may be off. */
  readonly clockTolerance: number;
  /** The key that a token's header names. Throws AuthenticationError UNKNOWN_KEY or KEYS_UNAVAILABLE. */
  readonly key: JWTVerifyGetKey;
  /** Whether every token has to be bound to a key of its bearer (RFC 9449). */
  readonly boundOnly: boolean;
  /** Whether its tokens are accepted only in our cookie, or only in headers. */
  readonly inCookie: boolean;
  /** The message for a token of this issuer that was signed with another key; undefined: the default message. */
  readonly onForeignKey?: string | undefined;
  readonly read: ClaimsReader;
}

export interface TrustOptions {
  readonly log?: Pick<Logger, "warn" | "info"> | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
}

/** An identity provider as the identity file describes it. Nothing is fetched before its first token comes. */
export function trustIssuer(settings: IssuerSettings, options: TrustOptions = {}): TrustedIssuer {
  const { issuer, audience, algorithms, tokenTypes, clockTolerance, jwksUri, jwksMaxStale, dpop } = settings;
  return {
    issuer,
    audience,
    algorithms,
    types: tokenTypes.map((type) => type.toLowerCase()),
    clockTolerance,
    key: remoteKeys({
      issuer,
      jwksUri,
      maxStale: jwksMaxStale * 1000,
      ...options,
    }),
    boundOnly: dpop === "required",
    inCookie: false,
    read: readerFor(settings),
  };
}

export interface HouseIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly type: string;
  readonly publicKey: CryptoKey;
  readonly inCookie: boolean;
  readonly onForeignKey?: string;
}

/** An issuer that is this installation itself: one key, one clock. */
export function trustOurselves({
  issuer,
  audience,
  type,
  publicKey,
  inCookie,
  onForeignKey,
}: HouseIssuer): TrustedIssuer {
  return {
    issuer,
    audience: [audience],
    algorithms: [SIGNATURE_ALGORITHM],
    types: [type],
    clockTolerance: 0,
    key: async () => publicKey,
    boundOnly: false,
    inCookie,
    onForeignKey,
    read: readHouseClaims,
  };
}
