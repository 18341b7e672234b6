import { DomainError } from "../../errors.ts";
import type { Principal } from "./principal.ts";

/** Why a call cannot be attributed, for counters and entries; a caller is told no more than the message. */
export type AuthenticationReason =
  | "BAD_TOKEN"
  | "BAD_SIGNATURE"
  | "BAD_CLAIMS"
  | "UNKNOWN_ISSUER"
  | "UNKNOWN_KEY"
  | "KEYS_UNAVAILABLE"
  | "TOKEN_EXPIRED"
  | "TOKEN_NOT_YET_VALID"
  | "WRONG_AUDIENCE"
  | "DPOP_REQUIRED"
  | "DPOP_INVALID"
  | "SUSPENDED"
  | "REVOKED"
  | "NOT_REGISTERED"
  | "KEY_REQUIRED";

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
