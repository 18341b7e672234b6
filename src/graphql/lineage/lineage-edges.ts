import { type EdgeFilter, listEdges, placeOf } from "../../domain/lineage/walk/list.ts";
import { nameProblem } from "../../facts/text.ts";
import { isOfAllRegions, mergedPage } from "../base/across-regions/merged.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { EdgeKind } from "../base/enums.ts";
import { badUserInput } from "../base/errors.ts";
import { AFTER, decodeCursor, FIRST, type Page, pageComplexity, pageOf, pageSize } from "../base/page.ts";
import { readingAt } from "../base/position.ts";
import { LISTED_REGION } from "../base/regions.ts";
import { recordingRead } from "../ledger/reads.ts";
import { type EdgeShape, edgeOf, LineageEdgeRef } from "./lineage-edge.ts";
import { edgeSource } from "./walking.ts";

const LineageEdgeConnection = builder.connectionObject(
  { type: LineageEdgeRef, name: "LineageEdgeConnection", description: "A page of edges." },
  { name: "LineageEdgeEdge", description: "An edge with its cursor." },
);

const LineageEdgeFilter = builder.inputType("LineageEdgeFilter", {
  description: "Conditions that an edge has to meet, all of those that are given.",
  fields: (t) => ({
    kind: t.field({ type: EdgeKind, description: "What it is based on." }),
    sourceChainHash: t.field({ type: "UUID", description: "The chain that read." }),
    chainHash: t.field({ type: "UUID", description: "The chain that wrote." }),
    sourcePlatform: t.string({ description: "The platform that was read from." }),
    platform: t.string({ description: "The platform that was written to." }),
    sourceRegion: t.string({ description: "Where the platform that was read from keeps its data." }),
    region: t.string({ description: "Where the platform that was written to keeps its data." }),
    recordedFrom: t.field({ type: "DateTime", description: "Proposed at this instant or later." }),
    recordedTo: t.field({ type: "DateTime", description: "Proposed at this instant or earlier." }),
  }),
});

/** Characters of a name in a filter. */
const MAX_NAME = 400;

function edgeFilter(given: typeof LineageEdgeFilter.$inferInput | null | undefined): EdgeFilter {
  const { kind, chainHash, sourceChainHash, recordedFrom, recordedTo, ...names } = given ?? {};
  const named = Object.entries(names).flatMap(([name, value]) => {
    if (value === undefined || value === null) return [];
    const problem = nameProblem(value, MAX_NAME);
    if (problem !== undefined) throw badUserInput(`\`${name}\` ${problem}.`);
    return [[name, value] as const];
  });
  return {
    ...Object.fromEntries(named),
    kind: kind ?? undefined,
    chain: chainHash ?? undefined,
    sourceChain: sourceChainHash ?? undefined,
    recordedFrom: recordedFrom ?? undefined,
    recordedTo: recordedTo ?? undefined,
  };
}

interface Asked {
  readonly filter: EdgeFilter;
  readonly newestFirst: boolean;
}

async function readEdges(
  local: Context,
  { filter, newestFirst }: Asked,
  range: { readonly after: bigint | undefined; readonly limit: number },
) {
  const { edges, stoppedAt } = await listEdges(edgeSource(local), filter, { ...range, newestFirst });
  return { nodes: edges.map(edgeOf), stoppedAt };
}

const positionOf = ({ entry, n }: EdgeShape) => placeOf({ entry, n });

builder.queryField("lineageEdges", (t) =>
  t.field({
    type: LineageEdgeConnection,
    description:
      "The edges that writes record which you may see, in the order in which they were proposed: several of a write, first those by compared content. For a caller who may not see all, a page can have fewer than `first` edges although more follow. Reading them is recorded in the ledger.",
    authScopes: { signedIn: true },
    complexity: pageComplexity,
    args: {
      region: t.arg.string({ description: LISTED_REGION }),
      filter: t.arg({ type: LineageEdgeFilter, description: "Conditions to meet. Default: none." }),
      newestFirst: t.arg.boolean({ description: "Newest first. Default: oldest first." }),
      first: t.arg.int({ description: FIRST }),
      after: t.arg.string({ description: AFTER }),
    },
    resolve: async (_root, { region, filter, newestFirst, ...page }, context): Promise<Page<EdgeShape>> => {
      const asked: Asked = { filter: edgeFilter(filter), newestFirst: newestFirst === true };
      if (isOfAllRegions(context, region)) {
        return mergedPage(context, page, {
          read: (local, range) => readEdges(local, asked, range),
          positionOf,
          recordedAtOf: ({ entry }) => entry.recordedAt,
          newestFirst: asked.newestFirst,
          shown: (local, count) => recordingRead(local, "lineageEdges", count, undefined),
        });
      }
      const [size, after] = [pageSize(page), decodeCursor(page)];
      const asOf = await readingAt(context);
      const { nodes, stoppedAt } = await readEdges(context, asked, { after, limit: size + 1 });
      const found = pageOf({ nodes, size, after, asOf, positionOf, stoppedAt });
      return recordingRead(context, "lineageEdges", found.edges.length, found);
    },
  }),
);
