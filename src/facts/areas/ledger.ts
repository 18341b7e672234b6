import { defineFact } from "../definition.ts";
import { erasable, list, object, text } from "../schema.ts";

const problem = object(
  {
    verdict: text("what was found: a verdict of a verification"),
    seq: text("the first position it concerns, where it concerns one").optional(),
    through: text(
      "set where heads that were known outside the database contradict the ledger: the furthest of them",
    ).optional(),
    detail: text("what is wrong, where it concerns no position").optional(),
  },
  "a problem of the ledger",
);

/** What is said about a ledger itself. */
export const LEDGER = {
  states: [],
  facts: [
    defineFact("LEDGER_CREATED", {
      description: "the ledger begins; always its first entry and no other",
      members: {},
    }),
    defineFact("LEDGER_ACKNOWLEDGED", {
      description:
        "an administrator has looked into problems that a server found in the ledger, and entries are recorded again; the problems remain",
      members: {
        problems: list(problem, "the problems"),
        note: erasable<string>("what came of it, in their own words"),
      },
      permits: true,
      conditions: { by: ["ADMINISTRATOR"] },
    }),
  ],
} as const;
