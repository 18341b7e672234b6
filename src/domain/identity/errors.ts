import { DomainError } from "../../errors.ts";
import type { AuthenticationRefusal } from "../../facts/areas/reading.ts";
import type { Principal } from "./principal.ts";

/** Why a call was not authenticated, for metrics and entries. The caller gets the message only. */
export const AUTHENTICATION_REASONS = {
  BAD_TOKEN: "It is not a token, or its type is not accepted here.",
  BAD_SIGNATURE: "The signature is not that of its issuer.",
  BAD_CLAIMS:
    "A claim is missing or invalid, or a name or id in it has characters that cannot be seen or told apart. Have the provider change it; the caller's message says what.",
  UNKNOWN_ISSUER: "Its issuer is not configured.",
  UNKNOWN_KEY: "Its issuer has no such key.",
  KEYS_UNAVAILABLE: "The keys of its issuer cannot be fetched, and those known are too old.",
  TOKEN_EXPIRED: "It has expired.",
  TOKEN_NOT_YET_VALID: "It is not valid yet.",
  WRONG_AUDIENCE: "Its audience is another service.",
  DPOP_REQUIRED: "It must be bound to a key and presented with a proof of that key.",
  DPOP_INVALID: "The proof is not valid for its key and this request, or was used before.",
  SUSPENDED: "The principal, the person it acts for or its owner is suspended.",
  REVOKED: "The token, its session or a role it was admitted with was revoked.",
  NOT_REGISTERED: "An agent that acts for nobody was not invited.",
  KEY_REQUIRED: "The agent was invited with a key that the token is not bound to.",
} as const satisfies Readonly<Record<AuthenticationRefusal, string>>;
export type AuthenticationReason = keyof typeof AUTHENTICATION_REASONS;

/** Too many proofs of one organization or key are remembered, so that none can be accepted now. */
export class TooManyProofsError extends DomainError<"RATE_LIMITED"> {
  constructor() {
    super(
      "RATE_LIMITED",
      "too many DPoP proofs of your organization or your key were used lately; try again in a minute",
    );
  }
}

/** The identity provider cannot be asked now, so that nothing is decided on what it said before. */
export class ProviderUnavailableError extends DomainError<"PROVIDER_UNAVAILABLE"> {
  constructor(cause?: unknown) {
    const message =
      "your identity provider cannot say now which groups and roles you have; nothing was recorded, try again soon";
    super("PROVIDER_UNAVAILABLE", message, { cause });
  }
}

/** `principal`: whom the token names, when its signature is valid. `cause`: the underlying error. */
export interface AuthenticationErrorOptions {
  readonly principal?: Principal | undefined;
  readonly cause?: unknown;
}

/** The call was not authenticated. Neither message nor cause contains the token. */
export class AuthenticationError extends DomainError<"UNAUTHENTICATED"> {
  readonly reason: AuthenticationReason;
  /** Set only when the token is signed by the issuer it names. */
  readonly principal: Principal | undefined;

  constructor(reason: AuthenticationReason, message: string, options: AuthenticationErrorOptions = {}) {
    super("UNAUTHENTICATED", message, { cause: options.cause });
    this.reason = reason;
    this.principal = options.principal;
  }
}
