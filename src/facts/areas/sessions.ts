import { defineFact, defineState, made, steps } from "../definition.ts";
import { code, erasable, instant, object, text, uuid } from "../schema.ts";

/** Why a session has ended: its owner ended it, its time had passed, or the identity provider had ended its own. */
export const END_REASONS = ["LOGOUT", "EXPIRED", "REVOKED"] as const;
export type EndReason = (typeof END_REASONS)[number];

export const SESSION = defineState("SESSION", {
  description: "a session of a principal: its `actor`, who acts for `onBehalfOf`, in its `conversation`",
  id: "the session's UUID, which `session` names too",
  namedBy: { path: "session" },
  state: object(
    {
      status: code(["OPEN", "ENDED"], "whether entries can be made in it"),
      expiresAt: instant("when an open one is over by itself; without it, never").optional(),
    },
    "the session from this entry on",
  ),
  conditions: {
    lacks: { ENDED: ["expiresAt"] },
    deadline: ["expiresAt"],
    dependedOn: { by: ["CALLER", "DELEGATE"] },
  },
});

export const SESSIONS = {
  states: [SESSION],
  facts: [
    defineFact("SESSION_STARTED", {
      description: "somebody signed in, or an agent began to act",
      members: {
        session: uuid("the session it starts"),
        conversation: text("the caller's name for the conversation").optional(),
        method: text("how the principal signed in"),
        address: erasable<string>("the IP address the call came from").optional(),
      },
      moves: { SESSION: made("OPEN") },
      // Who owns an agent is known by the address that they signed in with.
      permits: true,
    }),
    defineFact("SESSION_ENDED", {
      description: "the session ended",
      members: {
        session: uuid("the session it ends"),
        conversation: text("as its start has it").optional(),
        reason: code(END_REASONS, "why"),
      },
      moves: { SESSION: steps(["OPEN"], ["ENDED"]) },
      conditions: {
        repeats: { conversation: "conversation" },
        where: {
          member: "reason",
          is: {
            LOGOUT: { by: ["MAKER"] },
            EXPIRED: { by: ["SYSTEM"], deadline: "PASSED" },
            REVOKED: { by: ["SYSTEM"] },
          },
        },
      },
    }),
  ],
} as const;
