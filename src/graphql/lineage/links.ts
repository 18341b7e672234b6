import type { JsonValue } from "../../facts/canonical.ts";
import { ActionRef } from "../actions/action.ts";
import { viewOf } from "../actions/rows.ts";
import { builder } from "../base/builder.ts";
import { entryOf } from "../base/rows.ts";
import { EntryRef } from "../ledger/entry.ts";
import { recordingEntries } from "../ledger/reads.ts";
import { edgesOf, LineageEdgeRef } from "./lineage-edge.ts";
import { readChain } from "./reads.ts";

/** Where the data of an entry or of an action came from, and where it went. */

function asText(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

builder.prismaObjectFields(EntryRef, (t) => ({
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
}));
