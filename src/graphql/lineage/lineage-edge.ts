import type { WalkedEdge } from "../../domain/lineage/walk/walk.ts";
import type { JsonValue } from "../../facts/canonical.ts";
import { factOfType } from "../../facts/decode.ts";
import { type RecordedEdge, edgesOf as recordedEdges } from "../../facts/edges.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { textOf } from "../../facts/members.ts";
import { opened } from "../actions/reads.ts";
import { type ActionNode, viewOf } from "../actions/rows.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { EdgeKind } from "../base/enums.ts";
import { revealed } from "../base/rows.ts";
import { platformOf } from "./reads.ts";
import { sharedValues } from "./shared-values.ts";

export interface EdgeShape {
  readonly kind: "OBSERVED" | "POSSIBLE";
  readonly sourceChainHash: string;
  readonly chainHash: string;
  readonly sourcePlatform: string;
  readonly platform: string;
  readonly confidence: number;
  readonly evidence: JsonValue;
  /** The proposal that records it, and its number among the edges there. */
  readonly n: number;
  readonly entry: LedgerEntry;
  /** Of `entry`: fields are resolved there. */
  readonly ledger: string;
  /** Where the read is recorded that it names; of a POSSIBLE edge the latest of `reads`. */
  readonly read: {
    readonly ledger: string;
    readonly region?: string | undefined;
    readonly seq?: string | undefined;
    readonly hash?: string | undefined;
    readonly reads?: number | undefined;
  };
}

/** Tenths: what is just observed has confidence one half. */
const LEAST_STRENGTH = 50;

/**
 * The edge that `proposal` records as `recorded`, with its details from there. `shared`: which values an OBSERVED edge has, for those who may
 * read the arguments.
 */
export function edgeShape(
  proposal: LedgerEntry,
  recorded: RecordedEdge & { readonly sourceChain: string },
  sourcePlatform: string,
  shared?: JsonValue,
): EdgeShape {
  const { chain: chainHash, platform, lineage } = factOfType(proposal, "ACTION_PROPOSED");
  const { n, sourceChain: sourceChainHash, sourceLedger, sourceSeq, reads } = recorded;
  const { observed = [], possible = [] } = lineage ?? {};
  const between = { sourceChainHash, chainHash, sourcePlatform, platform, n, entry: proposal, ledger: proposal.ledger };
  const place = { ledger: sourceLedger, seq: sourceSeq ?? undefined, reads: reads ?? undefined };
  const recordedIn = String(proposal.seq);
  const found = observed[n - 1];
  if (found !== undefined) {
    const { chain: _chain, platform: _platform, strength, hash, ...told } = found;
    const read = { ...told, hash: `sha256:${hash}`, strength: strength / 10 };
    const evidence = { basis: "compared content", recordedIn, ...read };
    const confidence = Math.round((1 - 2 ** (-strength / LEAST_STRENGTH)) * 100) / 100;
    const all = shared === undefined ? evidence : { ...evidence, shared };
    return { kind: "OBSERVED", ...between, confidence, evidence: all, read: { ...place, region: told.region, hash } };
  }
  const maybe = possible[n - 1 - observed.length];
  if (maybe === undefined) {
    const evidence = { basis: "order in time", recordedIn };
    return { kind: "POSSIBLE", ...between, confidence: 0, evidence, read: place };
  }
  const { chain: _chain, platform: _platform, hash, unknown, ...told } = maybe;
  const read = { ...told, hash: `sha256:${hash}`, ...(unknown ? { unknown } : {}) };
  const evidence = { basis: "order in time", recordedIn, ...read };
  return { kind: "POSSIBLE", ...between, confidence: 0, evidence, read: { ...place, region: told.region, hash } };
}

/** The edges into the chain of an action: those that were observed, then those that are possible. */
export async function edgesOf(context: Context, row: ActionNode): Promise<EdgeShape[]> {
  const { proposal } = viewOf(row);
  const recorded = recordedEdges(proposal.ledger, proposal.body);
  const isObserved = recorded.some(({ kind }) => kind === "OBSERVED");
  const shared = isObserved ? await sharedValues(context, revealed(await opened(context, row), "evidence")) : [];
  const shapes = await Promise.all(
    recorded.map(async (edge, at) => {
      const { sourceChain } = edge;
      if (sourceChain === null) return undefined;
      const sourcePlatform = edge.sourcePlatform ?? (await platformOf(context, sourceChain));
      if (sourcePlatform === undefined) return undefined;
      return edgeShape(proposal, { ...edge, sourceChain }, sourcePlatform, shared[at]);
    }),
  );
  return shapes.filter((shape) => shape !== undefined);
}

/** The same of an edge of a list or of a graph, in which the platform of its source is known. */
export const edgeOf = (edge: WalkedEdge): EdgeShape => edgeShape(edge.entry, edge, edge.sourcePlatform ?? "");

export const LineageEdgeRef = builder.objectRef<EdgeShape>("LineageEdge").implement({
  description: "Data may have moved from one routing chain to another.",
  fields: (t) => ({
    kind: t.expose("kind", { type: EdgeKind, description: "Whether content was compared." }),
    sourceChainHash: t.field({
      type: "UUID",
      description: "The chain that read.",
      resolve: (edge) => edge.sourceChainHash,
    }),
    chainHash: t.field({ type: "UUID", description: "The chain that wrote.", resolve: (edge) => edge.chainHash }),
    sourcePlatform: t.exposeString("sourcePlatform", { description: "The platform that was read from." }),
    platform: t.exposeString("platform", { description: "The platform that was written to." }),
    sourceRegion: t.string({
      nullable: true,
      description: "Where the platform that was read from keeps its data; null where the entry does not say it.",
      resolve: ({ read }) => read.region ?? null,
    }),
    region: t.string({
      description: "Where the platform that was written to keeps its data.",
      resolve: ({ entry }) => textOf(entry.body.region),
    }),
    recordedAt: t.field({
      type: "DateTime",
      description: "When the write was proposed, which records it.",
      resolve: ({ entry }) => entry.recordedAt,
    }),
    confidence: t.exposeFloat("confidence", {
      description: "The strength of the evidence from compared content, from 0 to 1; 0 for a POSSIBLE edge.",
    }),
    evidence: t.field({
      type: "JSON",
      description: "The details that the edge was derived from.",
      resolve: ({ evidence }) => evidence,
    }),
  }),
});
