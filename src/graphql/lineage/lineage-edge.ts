import type { JsonObject, JsonValue } from "../../facts/canonical.ts";
import { factOf, factOfType } from "../../facts/decode.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { Withheld } from "../../facts/payload.ts";
import type { Fact } from "../../facts/registry.ts";
import { opened } from "../actions/reads.ts";
import { type ActionNode, viewOf } from "../actions/rows.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { EdgeKind } from "../base/enums.ts";
import { revealed } from "../base/rows.ts";
import { platformOf } from "./reads.ts";

export interface EdgeShape {
  readonly kind: "OBSERVED" | "POSSIBLE";
  readonly sourceChainHash: string;
  readonly chainHash: string;
  readonly sourcePlatform: string;
  readonly platform: string;
  readonly confidence: number;
  readonly evidence: JsonValue;
}

/** An edge, before it is known what it rests on. */
type Between = Omit<EdgeShape, "kind" | "confidence" | "evidence">;

/** An edge based on the order in time only. `seq` is the position of the step that used the source. */
export function possibleEdge(edge: Between, seq: bigint, told: JsonObject = {}): EdgeShape {
  const evidence = { basis: "order in time", recordedIn: String(seq), ...told };
  return { kind: "POSSIBLE", ...edge, confidence: 0, evidence };
}

type Observed = NonNullable<Fact<"ACTION_PROPOSED">["lineage"]>["observed"][number];

/** An edge based on compared content. `shared`: which values, for those who may read the arguments. */
function observedEdge(edge: Between, found: Observed, seq: bigint, shared?: JsonValue): EdgeShape {
  const { chain: _chain, platform: _platform, strength, hash, ...told } = found;
  const read = { ...told, hash: `sha256:${hash}`, strength: strength / 10 };
  const evidence = { basis: "compared content", recordedIn: String(seq), ...read };
  const confidence = Math.round((1 - 2 ** (-strength / LEAST_STRENGTH)) * 100) / 100;
  return { kind: "OBSERVED", ...edge, confidence, evidence: shared === undefined ? evidence : { ...evidence, shared } };
}

/** Tenths: what is just observed has confidence one half. */
const LEAST_STRENGTH = 50;

/** The edge that `proposal` records: OBSERVED where it says so. */
export function edgeIn(proposal: LedgerEntry, edge: Between): EdgeShape {
  const fact = factOf(proposal);
  const lineage = fact.type === "ACTION_PROPOSED" ? fact.lineage : undefined;
  const found = lineage?.observed.find(({ chain }) => chain === edge.sourceChainHash);
  return found === undefined ? possibleEdge(edge, proposal.seq) : observedEdge(edge, found, proposal.seq);
}

/** The edges into the chain of an action: those that were observed, then those that are possible. */
export async function edgesOf(context: Context, row: ActionNode): Promise<EdgeShape[]> {
  const { proposal } = viewOf(row);
  const { chain: chainHash, platform, sourceChain, lineage } = factOfType(proposal, "ACTION_PROPOSED");
  const { seq } = proposal;
  if (lineage === undefined) {
    const sourcePlatform = sourceChain === undefined ? undefined : await platformOf(context, sourceChain);
    if (sourceChain === undefined || sourcePlatform === undefined) return [];
    return [possibleEdge({ sourceChainHash: sourceChain, chainHash, sourcePlatform, platform }, seq)];
  }
  const evidence = lineage.observed.length === 0 ? undefined : revealed(await opened(context, row), "evidence");
  const shared = sharedIn(evidence);
  const observed = lineage.observed.map((found, at) => {
    const edge = { sourceChainHash: found.chain, chainHash, sourcePlatform: found.platform, platform };
    return observedEdge(edge, found, seq, shared[at]?.shared);
  });
  const possible = lineage.possible.map(({ chain, platform: sourcePlatform, hash, unknown, ...told }) => {
    const read = { ...told, hash: `sha256:${hash}`, ...(unknown ? { unknown } : {}) };
    return possibleEdge({ sourceChainHash: chain, chainHash, sourcePlatform, platform }, seq, read);
  });
  return [...observed, ...possible];
}

/** What observed edges share with the arguments, in their order, for those who may read these. */
function sharedIn(evidence: JsonValue | Withheld | undefined): readonly { readonly shared?: JsonValue }[] {
  if (typeof evidence !== "object" || evidence === null || evidence instanceof Withheld) return [];
  const { observed } = evidence as { readonly observed?: JsonValue };
  return Array.isArray(observed) ? observed : [];
}

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
