import type { JsonValue } from "../../facts/canonical.ts";
import { ActionRef } from "../actions/action.ts";
import { DecisionRef, decisionsOf } from "../actions/decision.ts";
import { EntryRef } from "../ledger/entry.ts";
import { edgesOf, LineageEdgeRef } from "../lineage/lineage-edge.ts";
import { readSession, SessionRef } from "../sessions/session.ts";
import { builder } from "./builder.ts";
import { actionOf, readChain, readOutcomeOf, readTimelineOf, recordingEntries } from "./reads.ts";
import { entryOf, viewOf } from "./rows.ts";

/** Fields that lead from one type to another which leads back: added once both exist. */

function asText(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

builder.prismaObjectFields(EntryRef, (t) => ({
  action: t.field({
    type: ActionRef,
    nullable: true,
    description: "The action it is about, as it stands now.",
    resolve: (row, _args, context) => actionOf(row, context),
  }),
  session: t.field({
    type: SessionRef,
    nullable: true,
    description: "The session it happened in.",
    resolve: (row, _args, context) => readSession(context, asText(entryOf(row).body.session)),
  }),
  sources: t.field({
    type: [EntryRef],
    complexity: { field: 2, multiplier: 20 },
    description:
      "Where the data came from: the entries of the chain that sourceChainHash names. That you read them is recorded, unless it is your own doing.",
    resolve: async (row, _args, context) => {
      const sources = await readChain(context, asText(entryOf(row).body.sourceChain));
      return recordingEntries(context, "auditEntry.sources", sources);
    },
  }),
  derived: t.field({
    type: [EntryRef],
    complexity: { field: 2, multiplier: 20 },
    description:
      "Where the data went: the entries that have this entry's chain as their source. That you read them is recorded, unless it is your own doing.",
    resolve: async (row, _args, context) => {
      const derived = await readChain(context, asText(entryOf(row).body.chain), "derived");
      return recordingEntries(context, "auditEntry.derived", derived);
    },
  }),
}));

builder.prismaObjectFields(ActionRef, (t) => ({
  lineage: t.field({
    type: [LineageEdgeRef],
    description: "Where its data came from.",
    resolve: (row, _args, context) => edgesOf(context, viewOf(row).proposal),
  }),
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
      "The facts its state rests on and the refused attempts on it, oldest first. That you read them is recorded, unless it is your own doing.",
    resolve: async (row, _args, context) =>
      recordingEntries(context, "action.entries", await readTimelineOf(context, row), viewOf(row).proposal),
  }),
}));
