import {
  MAX_WALK_CHAINS,
  MAX_WALK_DEPTH,
  type Walk,
  type WalkedChain,
  walkLineage,
} from "../../domain/lineage/walk.ts";
import { builder } from "../base/builder.ts";
import { LineageDirection } from "../base/enums.ts";
import { badUserInput } from "../base/errors.ts";
import { readableBy } from "../base/viewer.ts";
import { EntryRef } from "../ledger/entry.ts";
import { recordingRead } from "../ledger/reads.ts";
import { LineageEdgeRef, possibleEdge } from "./lineage-edge.ts";
import { readChain } from "./reads.ts";

const DEFAULT_DEPTH = 5;

const LineageNode = builder.objectRef<WalkedChain>("LineageNode").implement({
  description: "A routing chain on one platform.",
  fields: (t) => ({
    chainHash: t.field({ type: "UUID", description: "The chain.", resolve: ({ chain }) => chain }),
    platform: t.exposeString("platform", { description: "The platform it ran on." }),
    entries: t.field({
      type: [EntryRef],
      complexity: { field: 2, multiplier: 20 },
      description: "Its entries you may see, oldest first.",
      resolve: async ({ chain }, _args, context) => {
        const entries = await readChain(context, chain);
        return recordingRead(context, "lineage.entries", entries.length, entries);
      },
    }),
  }),
});

const LineageGraph = builder.objectRef<Walk>("LineageGraph").implement({
  description: "Chains that data may have moved between.",
  fields: (t) => ({
    nodes: t.field({
      type: [LineageNode],
      description: "The chains, the asked one among them.",
      resolve: ({ chains }) => [...chains],
    }),
    edges: t.field({
      type: [LineageEdgeRef],
      description: "Where data may have moved.",
      resolve: ({ chains, edges }) => {
        const platforms = new Map(chains.map(({ chain, platform }) => [chain, platform]));
        return edges.map(({ source, chain, seq }) => {
          const between = { sourcePlatform: platforms.get(source) ?? "", platform: platforms.get(chain) ?? "" };
          return possibleEdge({ sourceChainHash: source, chainHash: chain, ...between }, seq);
        });
      },
    }),
    truncated: t.exposeBoolean("truncated", {
      description: `Whether more lies beyond the depth, or beyond ${MAX_WALK_CHAINS} chains.`,
    }),
  }),
});

builder.queryField("lineage", (t) =>
  t.field({
    type: LineageGraph,
    description:
      "Where data of a chain came from and went to, as far as you may see. Empty for a chain that is unknown or not yours to see. That you read it is recorded.",
    authScopes: { signedIn: true },
    complexity: { field: 20, multiplier: 1 },
    args: {
      chainHash: t.arg({ type: "UUID", required: true, description: "Where to start." }),
      direction: t.arg({ type: LineageDirection, description: "Which way to walk; UPSTREAM when left out." }),
      depth: t.arg.int({ description: `How many steps; ${DEFAULT_DEPTH} when left out, at most ${MAX_WALK_DEPTH}.` }),
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
