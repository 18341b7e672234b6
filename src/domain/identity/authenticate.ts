import { type CryptoKey, errors, jwtVerify } from "jose";
import { LRUCache } from "lru-cache";
import { z } from "zod";
import { AuthenticationError } from "./errors.ts";
import { SIGNATURE_ALGORITHM } from "./keys.ts";
import type { Principal } from "./principal.ts";

/** The `typ` of an access token (RFC 9068): a grant, or any other JWT of ours, can never be used as one. */
export const ACCESS_TOKEN_TYPE = "at+jwt";

export interface TrustedIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly key: CryptoKey;
}

/** A believed token. `expiresAt` is in seconds since the epoch. */
export interface Authentication {
  readonly principal: Principal;
  readonly expiresAt: number;
  readonly tokenId?: string;
}

export interface Authenticator {
  /** Throws AuthenticationError. */
  authenticate(token: string): Promise<Authentication>;
}

export interface AuthenticatorOptions {
  readonly trusted: TrustedIssuer;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Tokens whose verification is remembered until they expire: it costs as much as a request does otherwise. */
  readonly remembered?: number;
}

// What is part of a ledger's name, of a key or of a search column must be plain: no controls, no lone surrogates.
const plain = z.string().min(1).max(200).refine(isPlain, "must be printable, well-formed Unicode");
const names = z.array(plain).max(100).default([]);
const person = { name: plain.optional(), roles: names, groups: names };
const claims = z.object({
  sub: plain,
  exp: z.number(),
  jti: plain.optional(),
  org: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  kind: z.enum(["HUMAN", "AGENT", "SERVICE"]),
  email: z.string().max(320).refine(isPlain).optional(),
  ...person,
  act: z.object({ sub: plain, ...person }).optional(),
});

function isPlain(text: string): boolean {
  return text.isWellFormed() && !/\p{Cc}/u.test(text);
}

/** Verifies bearer tokens: algorithm, type, issuer and audience are pinned, and expiry is looked at on every call. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { trusted, now = Date.now, remembered = 10_000 } = options;
  const known = new LRUCache<string, Authentication>({ max: remembered });
  return {
    async authenticate(token) {
      let found = known.get(token);
      if (found === undefined) {
        found = await verify(token, trusted, now());
        known.set(token, found);
      }
      if (found.expiresAt * 1000 <= now()) {
        known.delete(token);
        throw new AuthenticationError("the token has expired; ask its issuer for a new one");
      }
      return found;
    },
  };
}

async function verify(token: string, trusted: TrustedIssuer, now: number): Promise<Authentication> {
  try {
    const { payload } = await jwtVerify(token, trusted.key, {
      algorithms: [SIGNATURE_ALGORITHM],
      typ: ACCESS_TOKEN_TYPE,
      issuer: trusted.issuer,
      audience: trusted.audience,
      requiredClaims: ["sub", "exp", "iat"],
      currentDate: new Date(now),
    });
    const parsed = claims.parse(payload);
    return {
      principal: principalOf(parsed),
      expiresAt: parsed.exp,
      ...(parsed.jti === undefined ? {} : { tokenId: parsed.jti }),
    };
  } catch (error) {
    if (error instanceof errors.JWTExpired) {
      throw new AuthenticationError("the token has expired; ask its issuer for a new one", error);
    }
    if (error instanceof errors.JOSEError || error instanceof z.ZodError || error instanceof TypeError) {
      throw new AuthenticationError("the bearer token is not one this server accepts", error);
    }
    throw error;
  }
}

function principalOf({ sub, org, kind, email, name, roles, groups, act }: z.infer<typeof claims>): Principal {
  const subject = principal({ id: sub, kind, organization: org, roles, groups, email, displayName: name });
  if (act === undefined) return subject;
  const agent = { id: act.sub, kind: "AGENT" as const, organization: org, roles: act.roles, groups: act.groups };
  return { ...principal({ ...agent, email: undefined, displayName: act.name }), onBehalfOf: subject };
}

function principal({
  email,
  displayName,
  ...rest
}: Omit<Principal, "email" | "displayName"> & {
  readonly email: string | undefined;
  readonly displayName: string | undefined;
}): Principal {
  return {
    ...rest,
    ...(email === undefined ? {} : { email }),
    ...(displayName === undefined ? {} : { displayName }),
  };
}
