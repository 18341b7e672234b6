import { DomainError } from "../../errors.ts";

/** HTTP status and text of each failed sign-in or sign-out. The texts contain nothing of the request. */
export const SIGN_IN_REFUSALS = {
  BAD_REQUEST: [400, "This is not a valid sign-in address."],
  UNKNOWN_ISSUER: [404, "That identity provider is not configured on this server."],
  NOT_STARTED: [400, "No sign-in is in progress in this browser, or it timed out. Please start again."],
  STATE_MISMATCH: [400, "This response belongs to a different sign-in. Please start again."],
  REPLAYED: [400, "This sign-in was already completed. Please start again."],
  TOO_MANY_SIGN_INS: [503, "Too many people are signing in at this moment. Please try again in a few minutes."],
  DENIED: [403, "The identity provider refused the sign-in, or you cancelled it."],
  CODE_REFUSED: [400, "The identity provider refused its authorization code. Please start again."],
  PROVIDER_UNAVAILABLE: [503, "The identity provider cannot be reached now. Please try again in a moment."],
  PROVIDER_FAILED: [502, "The response of the identity provider is not valid."],
  ID_TOKEN_REFUSED: [502, "The ID token of the identity provider could not be verified."],
  CLAIMS_REFUSED: [403, "The ID token lacks claims that this server needs. Ask your administrator."],
  NOT_A_PERSON: [403, "Only people can sign in with a browser."],
  ACCESS_REFUSED: [403, "Your access was refused. Ask your administrator."],
  TOO_MUCH_SAID: [403, "You have more groups and roles than fit into a browser cookie. Ask your administrator."],
  FORGED_REQUEST: [403, "This request did not come from a page of this server."],
  NOT_SIGNED_IN: [401, "You are not signed in."],
  INSECURE_ADDRESS: [503, "Signing in needs https, or a server on this computer."],
  LEDGER_UNAVAILABLE: [503, "Your sign-in could not be recorded, so it did not happen. Please try again in a moment."],
  METHOD_NOT_ALLOWED: [405, "This address does not support the request method."],
} as const satisfies Readonly<Record<string, readonly [status: number, message: string]>>;

export type SignInCode = keyof typeof SIGN_IN_REFUSALS;

/** An expected refusal. */
export class SignInRefusal extends DomainError<SignInCode> {
  readonly status: number;

  constructor(code: SignInCode, cause?: unknown) {
    const [status, message] = SIGN_IN_REFUSALS[code];
    super(code, message, { cause });
    this.status = status;
  }
}
