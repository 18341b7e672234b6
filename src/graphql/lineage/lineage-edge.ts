import type { JsonValue } from "../../facts/canonical.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { builder } from "../base/builder.ts";
import type { Context } from "../base/context.ts";
import { EdgeKind } from "../base/enums.ts";
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

/** An edge based on the order in time only. `seq` is the position of the step that used the source. */
export function possibleEdge(edge: Omit<EdgeShape, "kind" | "confidence" | "evidence">, seq: bigint): EdgeShape {
  return { kind: "POSSIBLE", ...edge, confidence: 0, evidence: { basis: "order in time", recordedIn: String(seq) } };
}

/** The edges into the chain of a proposal. */
export async function edgesOf(context: Context, proposal: LedgerEntry): Promise<EdgeShape[]> {
  const { sourceChain, chain, platform } = proposal.body;
  if (typeof sourceChain !== "string" || typeof chain !== "string" || typeof platform !== "string") return [];
  const sourcePlatform = await platformOf(context, sourceChain);
  if (sourcePlatform === undefined) return [];
  return [possibleEdge({ sourceChainHash: sourceChain, chainHash: chain, sourcePlatform, platform }, proposal.seq)];
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
