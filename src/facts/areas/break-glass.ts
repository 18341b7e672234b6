import { defineFact, defineState, made, steps } from "../definition.ts";
import { code, erasable, object, text } from "../schema.ts";
import { CHANNELS, laterTerms, repeats } from "./actions.ts";
import { OWN_PLATFORM } from "./policy.ts";

/** Approvals by one person alone of what would need more, in an emergency, and that somebody else looks into it afterwards. */

/** Seconds that an action may be started in, once somebody has broken the glass for it. */
export const MAX_BREAK_GLASS_TTL = 900;
/** The role that such an approval takes. */
export const BREAK_GLASS_ROLE = "break-glass";
export const REVIEW_VERDICTS = ["JUSTIFIED", "UNJUSTIFIED"] as const;

export const GLASS = defineState("GLASS", {
  description: "that somebody approved an action alone, and whether another person has looked into it",
  id: "the action's UUID, which `action` names too",
  namedBy: { path: "action" },
  state: object(
    {
      status: code(["UNREVIEWED", ...REVIEW_VERDICTS], "what another person said of it"),
      by: text("id of who approved it"),
    },
    "what is known of it from this entry on",
  ),
  conditions: { constant: ["by"], records: { "actor.id": "by" } },
});

const sameTerms = Object.fromEntries(Object.keys(laterTerms).map((name) => [name, name]));

export const BREAK_GLASS = {
  states: [GLASS],
  facts: [
    defineFact("ACTION_BROKEN_GLASS", {
      description: "one person approved alone what would need more people, in an emergency",
      members: {
        ...laterTerms,
        requestedBy: object(
          { id: text("of who proposed it"), onBehalfOf: text("of the person that one acted for").optional() },
          "who asked for it, as the proposal says: none of them says afterwards whether it was justified",
        ),
        reason: erasable<string>("why it could not wait"),
        channel: code(CHANNELS, "how it came in"),
      },
      moves: { ACTION: steps(["PENDING"], ["APPROVED"]), GLASS: made("UNREVIEWED") },
      permits: true,
      conditions: {
        by: ["GLASS_BREAKER"],
        hasNot: { platform: OWN_PLATFORM },
        lacks: ["grant.id", "grant.hash"],
        keeps: ["approvals"],
        repeats: { ...repeats, "requestedBy.id": "actor.id", "requestedBy.onBehalfOf": "onBehalfOf.id" },
        deadline: "KEPT",
        endsWithin: { path: "grant.expiresAt", seconds: MAX_BREAK_GLASS_TTL },
      },
    }),
    defineFact("BREAK_GLASS_REVIEWED", {
      description: "another person says whether it was justified",
      members: {
        ...laterTerms,
        verdict: code(REVIEW_VERDICTS, "whether it was"),
        note: erasable<string>("why, in their own words"),
      },
      moves: { GLASS: steps(["UNREVIEWED"], REVIEW_VERDICTS) },
      permits: true,
      conditions: {
        by: ["REVIEWER"],
        leadsTo: { member: "verdict", status: { JUSTIFIED: "JUSTIFIED", UNJUSTIFIED: "UNJUSTIFIED" } },
        repeats: sameTerms,
      },
    }),
  ],
} as const;
