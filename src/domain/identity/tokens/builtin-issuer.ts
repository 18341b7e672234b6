import { randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import { ConfigurationError } from "../../../errors.ts";
import { DEMO_PRINCIPALS, type DemoName } from "../demo-principals.ts";
import { type Keys, SIGNATURE_ALGORITHM } from "../keys.ts";
import { isLoopback } from "../secure-url.ts";
import { ACCESS_TOKEN_TYPE, type TrustedIssuer, trustOurselves } from "./issuers.ts";

export const BUILTIN_ISSUER = "urn:countersign:builtin";
const DEFAULT_TTL_SECONDS = 3600;

export interface DemoTokenOptions {
  readonly roles?: readonly string[];
  /** Seconds. */
  readonly ttl?: number;
  readonly amr?: readonly string[];
  readonly region?: string;
}

export interface BuiltinIssuer {
  readonly issuer: string;
  /** What the authenticator needs to accept tokens of this issuer. */
  readonly trusted: TrustedIssuer;
  /**
   * A bearer token for a demo principal. `roles` replaces what the token claims of its caller (rights never follow from
   * a role alone); `ttl` is in seconds and may be negative, for a token that is already over; `amr`: how a person signed in
   * (RFC 8176); `region`: where they are.
   */
  sign(name: DemoName, options?: DemoTokenOptions): Promise<string>;
}

/** Refuses to accept tokens that anybody can get where anybody can connect. Throws ConfigurationError. */
export function assertBuiltinAllowed(config: { readonly host: string; readonly production: boolean }): void {
  if (config.production)
    throw new ConfigurationError(
      "the built-in issuer is not available in production: name your identity provider in IDENTITY_FILE",
    );
  if (!isLoopback(config.host)) {
    throw new ConfigurationError(
      `the built-in issuer serves loopback addresses only; HOST is ${config.host}: name your identity provider in IDENTITY_FILE`,
    );
  }
}

export function createBuiltinIssuer(options: { readonly keys: Keys; readonly audience: string }): BuiltinIssuer {
  const { keys, audience } = options;
  return {
    issuer: BUILTIN_ISSUER,
    trusted: trustOurselves({
      issuer: BUILTIN_ISSUER,
      audience,
      type: ACCESS_TOKEN_TYPE,
      publicKey: keys.issuer.publicKey,
      inCookie: false,
      onForeignKey:
        "the token was signed with the keys of another data directory: print one with `countersign token` and the " +
        "DATA_DIR (or SIGNING_KEY_FILE) of this server",
    }),
    async sign(name, { roles, amr, region, ttl = DEFAULT_TTL_SECONDS } = {}) {
      const now = Math.floor(Date.now() / 1000);
      return new SignJWT({ ...claims(name, roles), region, ...(amr === undefined ? {} : { amr: [...amr] }) })
        .setProtectedHeader({
          alg: SIGNATURE_ALGORITHM,
          typ: ACCESS_TOKEN_TYPE,
          kid: keys.issuer.kid,
        })
        .setIssuer(BUILTIN_ISSUER)
        .setAudience(audience)
        .setIssuedAt(now)
        .setExpirationTime(now + ttl)
        .setJti(randomUUID())
        .sign(keys.issuer.privateKey);
    },
  };
}

/** Claims about the subject at the top; for an agent, the subject is the person and `act` the agent (RFC 8693 4.1). */
function claims(name: DemoName, roles: readonly string[] | undefined) {
  const { organization, displayName, email, groups, actsFor, roles: ordinary } = DEMO_PRINCIPALS[name];
  const actor = { name: displayName, roles: roles ?? ordinary, groups };
  if (actsFor === undefined) return { ...actor, sub: name, org: organization, kind: "HUMAN", email };
  const person = DEMO_PRINCIPALS[actsFor];
  return {
    sub: actsFor,
    org: person.organization,
    kind: "HUMAN",
    name: person.displayName,
    email: person.email,
    roles: person.roles,
    groups: person.groups,
    act: { sub: name, ...actor },
  };
}
