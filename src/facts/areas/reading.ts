import { defineFact } from "../definition.ts";
import { code, count, counts, erasable, instant, object, text } from "../schema.ts";

/** That somebody read the ledger, and that a known principal was refused. */

/** Why a token is refused, a code each. */
export const AUTHENTICATION_REFUSALS = [
  "BAD_TOKEN",
  "BAD_SIGNATURE",
  "BAD_CLAIMS",
  "UNKNOWN_ISSUER",
  "UNKNOWN_KEY",
  "KEYS_UNAVAILABLE",
  "TOKEN_EXPIRED",
  "TOKEN_NOT_YET_VALID",
  "WRONG_AUDIENCE",
  "DPOP_REQUIRED",
  "DPOP_INVALID",
  "SUSPENDED",
  "REVOKED",
  "NOT_REGISTERED",
  "KEY_REQUIRED",
] as const;
export type AuthenticationRefusal = (typeof AUTHENTICATION_REFUSALS)[number];

const window = {
  from: instant("when the first of them was, or when their minute began"),
  to: instant("when their minute was over").optional(),
};

export const READING = {
  states: [],
  facts: [
    defineFact("AUDIT_READ", {
      description: "somebody read the ledger: the first time of a minute, or the others of that minute together",
      members: {
        read: object(
          {
            ...window,
            reads: counts("how often, by the field that was read"),
            entries: count("entries shown, in sum"),
          },
          "what was read",
        ),
      },
    }),
    defineFact("AUTHENTICATION_REFUSED", {
      description: "a token that names a known principal was refused",
      members: {
        reason: code(AUTHENTICATION_REFUSALS, "why"),
        address: erasable<string>("the IP address the call came from").optional(),
        refused: object(
          {
            ...window,
            times: count("how often"),
            issuer: text("`iss` of the token").optional(),
            tokenId: text("`jti` of the token").optional(),
          },
          "what was refused",
        ),
      },
    }),
  ],
} as const;
