import type { LedgerId } from "../../../facts/entry.ts";
import type { PossibleReads } from "../possible-reads.ts";
import type { WriteLineage } from "./origins.ts";
import type { RecentRead } from "./recent-reads.ts";

export type PossibleEdge = WriteLineage["possible"][number];

/** Whether it may have values that are not compared. */
export const isUnknown = ({ values, isPartial }: RecentRead): boolean => values === "UNKNOWN" || isPartial;

/** One edge for each chain, to its latest read, the latest first. `isCompared`: whether the write could be compared with any. */
export function edgesWithin(
  ledger: LedgerId,
  reads: readonly RecentRead[],
  isCompared: boolean,
): readonly PossibleEdge[] {
  const chains = Map.groupBy(
    reads.toSorted((one, other) => Number(other.seq - one.seq)),
    ({ chain }) => chain,
  );
  return [...chains.values()].map((all) => ({
    ...placeOf(ledger, all[0] as RecentRead),
    reads: all.length,
    unknown: !isCompared || all.some(isUnknown) ? (true as const) : undefined,
  }));
}

/** Edges to what was read in other regions, whose content is compared with nothing here. */
export function edgesAbroad(own: LedgerId, everywhere: PossibleReads | undefined): readonly PossibleEdge[] {
  return (everywhere?.known ?? []).flatMap(({ chain, platform, region, ledger, seq, hash, reads }) =>
    ledger === own || chain === undefined || seq === undefined || hash === undefined
      ? []
      : [{ chain, platform, region, ledger, seq, hash, reads: reads ?? 1, unknown: true as const }],
  );
}

/**
 * At most `most` of `edges`, in their order. The first of each platform and region is kept before others, those of which something is unknown first:
 * however many there are of one platform, they push no other one out.
 */
export function foremost(edges: readonly PossibleEdge[], most: number): readonly PossibleEdge[] {
  if (edges.length <= most) return edges;
  const kinds = Map.groupBy(edges, ({ platform, region, unknown }) => JSON.stringify([platform, region, unknown]));
  const firsts = [...kinds.values()].map(([first]) => first as PossibleEdge);
  const [unknown, known] = [firsts.filter((edge) => edge.unknown), firsts.filter((edge) => !edge.unknown)];
  const kept = new Set([...new Set([...unknown, ...known, ...edges])].slice(0, most));
  return edges.filter((edge) => kept.has(edge));
}

/** A read as edges name it. */
export function placeOf(ledger: LedgerId, { chain, platform, region, seq, hash }: RecentRead) {
  return { chain, platform, region, ledger: ledger as string, seq: String(seq), hash };
}
