import { DomainError } from "../../errors.ts";

/** What a browser is told when signing in or out does not work: a status and a text in which nothing of the request appears. */
export const SIGN_IN_REFUSALS = {
  BAD_REQUEST: [400, "This address is not one that signs you in."],
  UNKNOWN_ISSUER: [404, "Nobody can sign in here with that identity provider."],
  NOT_STARTED: [400, "No sign-in is under way in this browser, or it took too long. Please start again."],
  STATE_MISMATCH: [400, "This answer belongs to another sign-in than the one under way. Please start again."],
  REPLAYED: [400, "This sign-in is over already. Please start again."],
  DENIED: [403, "The identity provider did not let you sign in, or you chose not to."],
  CODE_REFUSED: [400, "The identity provider did not accept its own answer a second time. Please start again."],
  PROVIDER_UNAVAILABLE: [503, "The identity provider cannot be reached now. Please try again in a moment."],
  PROVIDER_FAILED: [502, "The identity provider answered in a way that this server does not accept."],
  ID_TOKEN_REFUSED: [502, "What the identity provider said about you could not be verified."],
  CLAIMS_REFUSED: [403, "What the identity provider says about you is not what this server needs to know."],
  NOT_A_PERSON: [403, "Signing in with a browser is for people."],
  ACCESS_REFUSED: [403, "You may not come in. Your administrator knows why."],
  TOO_MUCH_SAID: [403, "You are in more groups and roles than a browser's cookie has room for."],
  FORGED_REQUEST: [403, "This request did not come from a page of this server."],
  NOT_SIGNED_IN: [401, "You are not signed in."],
  INSECURE_ADDRESS: [503, "Signing in needs https, or a server on this machine."],
  LEDGER_UNAVAILABLE: [503, "Your sign-in could not be recorded, so it did not happen. Please try again in a moment."],
  METHOD_NOT_ALLOWED: [405, "This address does not do that."],
} as const satisfies Readonly<Record<string, readonly [status: number, message: string]>>;

export type SignInCode = keyof typeof SIGN_IN_REFUSALS;

/** An expected no. */
export class SignInRefusal extends DomainError<SignInCode> {
  readonly status: number;

  constructor(code: SignInCode, cause?: unknown) {
    const [status, message] = SIGN_IN_REFUSALS[code];
    super(code, message, { cause });
    this.status = status;
  }
}
