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
    description: "The action it is about, as it stands now.",
    resolve: (row, _args, context) => actionOf(row, context),
  }),
}));

builder.prismaObjectFields(ActionRef, (t) => ({
  decisions: t.field({
    type: [DecisionRef],
    complexity: { field: 1, multiplier: 3 },
    description: "What people said of it, oldest first.",
    resolve: async (row, _args, context) => decisionsOf(viewOf(row).proposal, await readOutcomeOf(context, row)),
  }),
  entries: t.field({
    type: [EntryRef],
    complexity: { field: 2, multiplier: 6 },
    description:
      "The entries that led to its status, and those of refused attempts on it, oldest first. That you read them is recorded, unless it is your own doing.",
    resolve: async (row, _args, context) =>
      recordingEntries(context, "action.entries", await readTimelineOf(context, row), viewOf(row).proposal),
  }),
}));
