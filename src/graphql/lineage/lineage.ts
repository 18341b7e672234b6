import {
  MAX_WALK_CHAINS,
  MAX_WALK_DEPTH,
  type Walk,
  type WalkedChain,
  walkLineage,
} from "../../domain/lineage/walk.ts";
import { readEntries } from "../../ledger/read.ts";
import { builder } from "../base/builder.ts";
import { LineageDirection } from "../base/enums.ts";
import { badUserInput } from "../base/errors.ts";
import { REGION } from "../base/regions.ts";
import { readableBy } from "../base/viewer.ts";
import { EntryRef } from "../ledger/entry.ts";
import { recordingRead } from "../ledger/reads.ts";
import { edgeIn, LineageEdgeRef, possibleEdge } from "./lineage-edge.ts";
import { readChain } from "./reads.ts";

const DEFAULT_DEPTH = 5;

const LineageNode = builder.objectRef<WalkedChain>("LineageNode").implement({
  description: "A routing chain: consecutive steps of one principal in one conversation on one platform.",
  fields: (t) => ({
    chainHash: t.field({ type: "UUID", description: "The id of the chain.", resolve: ({ chain }) => chain }),
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
      description: "The chains that were reached, the starting one included.",
      resolve: ({ chains }) => [...chains],
    }),
    edges: t.field({
      type: [LineageEdgeRef],
      description: "The edges between `nodes`.",
      resolve: async ({ chains, edges }, _args, { db, ledger }) => {
        const platforms = new Map(chains.map(({ chain, platform }) => [chain, platform]));
        const recorded = await readEntries(db, ledger, [...new Set(edges.map(({ seq }) => seq))]);
        const entries = new Map(recorded.map((entry) => [entry.seq, entry]));
        return edges.map(({ source, chain, seq }) => {
          const between = { sourcePlatform: platforms.get(source) ?? "", platform: platforms.get(chain) ?? "" };
          const edge = { sourceChainHash: source, chainHash: chain, ...between };
          const entry = entries.get(seq);
          return entry === undefined ? possibleEdge(edge, seq) : edgeIn(entry, edge);
        });
      },
    }),
    truncated: t.exposeBoolean("truncated", {
      description: `Whether chains were left out because of \`depth\` or the limit of ${MAX_WALK_CHAINS} chains.`,
    }),
  }),
});

builder.queryField("lineage", (t) =>
  t.field({
    type: LineageGraph,
    description:
      "The data flow to and from a routing chain, limited to what you may see; empty when the chain is unknown or you may not see it. Reading it is recorded in the ledger.",
    authScopes: { signedIn: true },
    complexity: { field: 20, multiplier: 1 },
    args: {
      region: t.arg.string({ description: REGION }),
      chainHash: t.arg({ type: "UUID", required: true, description: "The chain to start at." }),
      direction: t.arg({ type: LineageDirection, description: "The direction to follow. Default: UPSTREAM." }),
      depth: t.arg.int({
        description: `The number of edges to follow, at most ${MAX_WALK_DEPTH}. Default: ${DEFAULT_DEPTH}.`,
      }),
    },
    resolve: async (_root, { chainHash, direction, depth }, context) => {
      const steps = depth ?? DEFAULT_DEPTH;
      if (steps < 0) throw badUserInput("`depth` is not negative.");
      const { db, ledger } = context;
      const route = { direction: direction ?? "UPSTREAM", depth: steps, scopes: readableBy(context) };
      const walk = await walkLineage(db, ledger, chainHash, route);
      return recordingRead(context, "lineage", 0, walk);
    },
  }),
);
