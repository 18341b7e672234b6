import type { JsonValue } from "../../facts/canonical.ts";
import { ActionRef } from "../actions/action.ts";
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
      "Entries of the chain `sourceChainHash`: where its data may have come from. Reading them is recorded in the ledger unless you did what they record.",
    resolve: async (row, _args, context) => {
      const sources = await readChain(context, asText(entryOf(row).body.sourceChain));
      return recordingEntries(context, "auditEntry.sources", sources);
    },
  }),
  derived: t.field({
    type: [EntryRef],
    complexity: { field: 2, multiplier: 20 },
    description:
      "Entries with this entry's chain as their source: where its data may have gone. Reading them is recorded in the ledger unless you did what they record.",
    resolve: async (row, _args, context) => {
      const derived = await readChain(context, asText(entryOf(row).body.chain), "derived");
      return recordingEntries(context, "auditEntry.derived", derived);
    },
  }),
}));

builder.prismaObjectFields(ActionRef, (t) => ({
  lineage: t.field({
    type: [LineageEdgeRef],
    description:
      "The edges from the chains its data comes from, or may come from: those by compared content first, the strongest ahead. Empty when the server found none.",
    resolve: (row, _args, context) => edgesOf(context, row),
  }),
}));
