import { DomainError } from "../../errors.ts";
import type { Principal } from "./principal.ts";

/** Why a call cannot be attributed, for counters and entries; a caller is told no more than the message. */
export const AUTHENTICATION_REASONS = {
  BAD_TOKEN: "It is not a token, or of a type that is not accepted there.",
  BAD_SIGNATURE: "The signature is not that of its issuer.",
  BAD_CLAIMS: "A claim is missing or not what it has to be.",
  UNKNOWN_ISSUER: "Nobody here believes its issuer.",
  UNKNOWN_KEY: "Its issuer has no such key.",
  KEYS_UNAVAILABLE: "The keys of its issuer cannot be fetched, and those known are too old.",
  TOKEN_EXPIRED: "It has expired.",
  TOKEN_NOT_YET_VALID: "It is not valid yet.",
  WRONG_AUDIENCE: "It is meant for another service.",
  DPOP_REQUIRED: "It has to be bound to a key, or presented with a proof of it.",
  DPOP_INVALID: "The proof is not one of its key for this request, or was shown before.",
  SUSPENDED: "The principal, the person it acts for or its owner is suspended.",
  REVOKED: "The token, its session or a right it was let in with was taken back.",
  NOT_REGISTERED: "An agent signs in as itself and was not invited.",
  KEY_REQUIRED: "The agent was invited with a key that the token is not bound to.",
} as const;
export type AuthenticationReason = keyof typeof AUTHENTICATION_REASONS;

/** What goes with a refusal: whom the token names when its signature was right, and what lies behind a failure of ours. */
export interface AuthenticationErrorOptions {
  readonly principal?: Principal | undefined;
  readonly cause?: unknown;
}

/** The call cannot be attributed to a principal. The token is in neither message nor cause. */
export class AuthenticationError extends DomainError<"UNAUTHENTICATED"> {
  readonly reason: AuthenticationReason;
  /** Known only when the token was signed by the issuer it names; it is refused all the same. */
  readonly principal: Principal | undefined;

  constructor(reason: AuthenticationReason, message: string, options: AuthenticationErrorOptions = {}) {
    super("UNAUTHENTICATED", message, { cause: options.cause });
    this.reason = reason;
    this.principal = options.principal;
  }
}
