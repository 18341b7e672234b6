import type { Chain } from "../../domain/lineage/walk/chains.ts";
import { startAtChain, startAtEntry } from "../../domain/lineage/walk/starts.ts";
import type { Way } from "../../domain/lineage/walk/statement.ts";
import { MAX_WALK_CHAINS, MAX_WALK_DEPTH, MAX_WALK_EDGES, type Walk } from "../../domain/lineage/walk/walk.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { LineageDirection } from "../base/enums.ts";
import { REGION } from "../base/regions.ts";
import { entryOf } from "../base/rows.ts";
import { EntryRef } from "../ledger/entry.ts";
import { readPositions, recordingRead, seesEntry } from "../ledger/reads.ts";
import { edgeOf, LineageEdgeRef } from "./lineage-edge.ts";
import { readChain } from "./reads.ts";
import { DEFAULT_DEPTH, walkFor } from "./walking.ts";

const LineageNode = builder.objectRef<Chain>("LineageNode").implement({
  description: "A routing chain: consecutive steps of one principal in one conversation on one platform.",
  fields: (t) => ({
    chainHash: t.field({ type: "UUID", description: "The id of the chain.", resolve: ({ chain }) => chain }),
    ledger: t.exposeID("ledger", { description: "Where its steps are recorded." }),
    platform: t.exposeString("platform", { description: "The platform of its steps." }),
    entries: t.field({
      type: [EntryRef],
      complexity: { field: 2, multiplier: 20 },
      description: "Its entries that you may see, oldest first.",
      resolve: async ({ chain }, _args, context) => {
        const entries = await readChain(context, chain);
        return recordingRead(context, "lineage.entries", entries.length, entries);
      },
    }),
  }),
});

const LineageGraph = builder.objectRef<Walk>("LineageGraph").implement({
  description: "Routing chains and the data flow between them.",
  fields: (t) => ({
    nodes: t.field({
      type: [LineageNode],
      description: "The chains that were reached, the starting one first.",
      resolve: ({ chains }) => [...chains],
    }),
    edges: t.field({
      type: [LineageEdgeRef],
      description: "The edges between `nodes`: of those between two chains the one that tells most.",
      resolve: ({ edges }) => edges.map(edgeOf),
    }),
    truncated: t.exposeBoolean("truncated", {
      description: `Whether something was left out because of \`depth\` or the limits of ${MAX_WALK_CHAINS} chains and ${MAX_WALK_EDGES} edges, or because the entry of a write does not name everything that it may rest on.`,
    }),
    otherRegions: t.stringList({
      description:
        "Regions that data may have come from, and that you may not read or this server does not serve, or where the entry of a write does not name the chain that was read.",
      resolve: ({ otherRegions }) => [...otherRegions],
    }),
    unreadRegions: t.stringList({
      description:
        "Regions that could not be read, or where it could not be recorded that they were; on the way upstream also those that could not be asked for reads when a write was proposed.",
      resolve: ({ unreadRegions }) => [...unreadRegions],
    }),
  }),
});

const DEPTH = `The number of edges to follow, at most ${MAX_WALK_DEPTH}. Default: ${DEFAULT_DEPTH}.`;

builder.queryField("lineage", (t) =>
  t.field({
    type: LineageGraph,
    description:
      "The data flow to and from a routing chain, in all regions that you may read, limited to what you may see; empty when the chain is unknown or you may not see it. On each way, what is nearer to the source was recorded before. Reading it is recorded in the ledger.",
    authScopes: { signedIn: true },
    complexity: { field: 20, multiplier: 1 },
    args: {
      region: t.arg.string({ description: REGION }),
      chainHash: t.arg({ type: "UUID", required: true, description: "The chain to start at." }),
      direction: t.arg({ type: LineageDirection, description: "The direction to follow. Default: UPSTREAM." }),
      depth: t.arg.int({ description: DEPTH }),
    },
    resolve: (_root, { chainHash, direction, depth }, context) =>
      walkFor(context, {
        start: (source) => startAtChain(source, chainHash),
        direction: direction ?? "UPSTREAM",
        depth,
        field: "lineage",
      }),
  }),
);

/** A walk from what was done by the action of the entry at `seq`. */
function walkFromEntry(
  context: Context,
  { seq, depth }: { readonly seq: bigint; readonly depth?: number | null | undefined },
  direction: Way,
  field: string,
): Promise<Walk> {
  return walkFor(context, {
    start: async (source) => {
      const [row] = await readPositions(context, [seq]);
      const isSeen = row !== undefined && (await seesEntry(context, row));
      return isSeen ? startAtEntry(source, entryOf(row), direction) : undefined;
    },
    direction,
    depth,
    field,
  });
}

/** A field for walks from an entry in one direction. */
function addWalk(field: "provenance" | "impact", direction: Way, description: string): void {
  builder.queryField(field, (t) =>
    t.field({
      type: LineageGraph,
      description,
      authScopes: { signedIn: true },
      complexity: { field: 20, multiplier: 1 },
      args: {
        region: t.arg.string({ description: REGION }),
        seq: t.arg({ type: "Sequence", required: true, description: "The position of an entry about the action." }),
        depth: t.arg.int({ description: DEPTH }),
      },
      resolve: (_root, args, context) => walkFromEntry(context, args, direction, field),
    }),
  );
}

addWalk(
  "provenance",
  "UPSTREAM",
  "Everything that a write rests on: the reads that it drew on, or may have, what had been written there before, and so on, in all regions that you may read. Of a read: what had been written in its chain before. Empty when there is no such entry, or it is not about an action that you may see. Reading it is recorded in the ledger.",
);
addWalk(
  "impact",
  "DOWNSTREAM",
  "Everything that drew on a read, or may have: the writes that have values of it, those that its caller made on other platforms afterwards, what drew on their chains since, and so on, in all regions that you may read. Of a write: what drew on its chain since. A write that rests on more reads than its entry names may be missing. Empty when there is no such entry, or it is not about an action that you may see. Reading it is recorded in the ledger.",
);
