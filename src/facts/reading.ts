import { defineFact } from "./definition.ts";
import { count, counts, erasable, instant, object, text } from "./schema.ts";

/** That somebody read the ledger, and that a known principal was refused. */

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
        reason: text("the code of the refusal"),
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
