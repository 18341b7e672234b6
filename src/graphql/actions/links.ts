import { builder } from "../base/builder.ts";
import { EntryRef } from "../ledger/entry.ts";
import { actionOf, recordingEntries } from "../ledger/reads.ts";
import { ActionRef } from "./action.ts";
import { DecisionRef, decisionsOf } from "./decision.ts";
import { readOutcomeOf, readTimelineOf } from "./reads.ts";
import { viewOf } from "./rows.ts";

/** Fields between actions and entries, which lead to each other: added once both types exist. */

builder.prismaObjectFields(EntryRef, (t) => ({
  action: t.field({
    type: ActionRef,
    nullable: true,
    description:
      "The action it is about, in its current state; null when it is about none, or about one you may not see.",
    resolve: (row, _args, context) => actionOf(row, context),
  }),
}));

builder.prismaObjectFields(ActionRef, (t) => ({
  decisions: t.field({
    type: [DecisionRef],
    complexity: { field: 1, multiplier: 3 },
    description: "The decisions of people on it, oldest first. Refused attempts are not among them.",
    resolve: async (row, _args, context) => decisionsOf(viewOf(row).proposal, await readOutcomeOf(context, row)),
  }),
  entries: t.field({
    type: [EntryRef],
    complexity: { field: 2, multiplier: 6 },
    description:
      "All entries about it, refused attempts included, oldest first. Reading them is recorded in the ledger unless you proposed the action.",
    resolve: async (row, _args, context) =>
      recordingEntries(context, "action.entries", await readTimelineOf(context, row), viewOf(row).proposal),
  }),
}));
