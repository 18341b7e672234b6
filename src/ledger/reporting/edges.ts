import { hash } from "node:crypto";
import { edgesOf } from "../../facts/edges.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import type { Fact } from "../../facts/registry.ts";
import type { Collected } from "./collect.ts";
import { cut, type EdgeRow } from "./rows.ts";

/** Adds a row for each edge that the entry of a write records. Returns how many there are of each kind. */
export function addEdges(
  collected: Collected,
  entry: LedgerEntry,
  write: Fact<"ACTION_PROPOSED">,
): { readonly observed: number; readonly possible: number } {
  const { observed = [], possible = [] } = write.lineage ?? {};
  const known = write.reads?.known ?? [];
  // Edges come in the order of the reads that the entry lists, and more of them after these.
  const listed = [...observed, ...possible];
  const edges = edgesOf(entry.ledger, entry.body);
  for (const [at, edge] of edges.entries()) {
    const { sourcePlatform: platform, sourceRegion: region } = edge;
    const details = observed[at];
    const isUnknown = possible[at - observed.length]?.unknown === true;
    const named =
      listed[at] ?? known.find(({ ledger, seq }) => ledger === edge.sourceLedger && (seq ?? null) === edge.sourceSeq);
    const row: EdgeRow = {
      edge_key: hash("sha256", `${entry.hash} ${edge.n}`),
      number: edge.n,
      kind: edge.kind,
      action_id: write.action,
      write_seq: String(entry.seq),
      write_utc: entry.recordedAt,
      chain_id: write.chain,
      platform_key: collected.platform(entry, write),
      platform_region: cut(write.region),
      source_chain_id: edge.sourceChain,
      source_platform_key:
        platform === null ? null : collected.platform(entry, { platform, region: region ?? write.region }),
      source_region: region === null ? null : cut(region),
      source_ledger: cut(edge.sourceLedger),
      source_seq: edge.sourceSeq,
      source_hash: named?.hash ?? null,
      shared_values: edge.values,
      whole_values: details?.whole ?? null,
      person_values: details === undefined ? null : (details.said ?? 0),
      exact_values: details?.exact ?? null,
      strength: edge.strength,
      reads: edge.reads,
      is_unknown: isUnknown ? 1 : 0,
    };
    collected.edges.push(row);
  }
  const of = (kind: EdgeRow["kind"]) => edges.filter((edge) => edge.kind === kind).length;
  return { observed: of("OBSERVED"), possible: of("POSSIBLE") };
}
