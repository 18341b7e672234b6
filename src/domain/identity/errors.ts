import { DomainError } from "../../errors.ts";

/** The call cannot be attributed to a principal. The message never says which check failed on whose key. */
export class AuthenticationError extends DomainError<"UNAUTHENTICATED"> {
  constructor(message: string, cause?: unknown) {
    super("UNAUTHENTICATED", message, { cause });
  }
}
