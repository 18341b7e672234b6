import { defineFact, defineState, made, steps } from "../definition.ts";
import { code, erasable, instant, object, text, uuid } from "../schema.ts";

/** Rights to approve that people lend to others for a while. */

/** Days for which a right is lent at most. */
export const MAX_DELEGATION_DAYS = 30;

export const DELEGATION = defineState("DELEGATION", {
  description: "the right of a person to approve as a member of a group, lent to another person",
  id: "the delegation's UUID, which `delegation` names too",
  namedBy: { path: "delegation" },
  state: object(
    {
      status: code(["MADE", "ENDED"], "whether somebody ended it before its time"),
      delegator: text("id of who lends"),
      delegate: text("id of the person it is lent to"),
      group: text("the group that the delegator was in"),
      startsAt: instant("from when on it can be used"),
      expiresAt: instant("when it can be used no more"),
    },
    "the delegation from this entry on",
  ),
  conditions: {
    constant: ["delegator", "delegate", "group", "startsAt", "expiresAt"],
    deadline: ["expiresAt"],
    dependedOn: {
      names: { "decision.delegatedBy.id": "delegator", "decision.delegatedBy.group": "group", "actor.id": "delegate" },
      since: "startsAt",
    },
  },
});

const delegation = uuid("the delegation it is about");

export const DELEGATIONS = {
  states: [DELEGATION],
  facts: [
    defineFact("DELEGATION_MADE", {
      description: "a person lends another their right to approve as a member of a group",
      members: { delegation, note: erasable<string>("why, in their own words").optional() },
      moves: { DELEGATION: made("MADE") },
      permits: true,
      conditions: {
        by: ["HUMAN"],
        records: { "actor.id": "delegator" },
        lists: { "actor.groups": "group" },
        differ: ["delegator", "delegate"],
        lasts: { from: "startsAt", to: "expiresAt", days: MAX_DELEGATION_DAYS },
      },
    }),
    defineFact("DELEGATION_ENDED", {
      description: "it can be used no more, though its time is not over",
      members: { delegation },
      moves: { DELEGATION: steps(["MADE"], ["ENDED"]) },
      permits: true,
      conditions: { by: ["MAKER", "ADMINISTRATOR"], deadline: "KEPT" },
    }),
  ],
} as const;
