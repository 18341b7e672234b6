import { hash } from "node:crypto";
import type { LedgerEntry } from "../../facts/entry.ts";
import type { Fact } from "../../facts/registry.ts";
import type { Collected } from "./collect.ts";
import { cut, type EdgeRow } from "./rows.ts";

type Proposal = Fact<"ACTION_PROPOSED">;
type Lineage = NonNullable<Proposal["lineage"]>;
type Source = Lineage["observed"][number] | Lineage["possible"][number];

/** Adds a row for each source that the entry of a write names. */
export function addEdges(collected: Collected, entry: LedgerEntry, write: Proposal, lineage: Lineage): void {
  lineage.observed.forEach((source, at) => {
    const { values, whole, exact, strength } = source;
    const evidence = { shared_values: values, whole_values: whole, exact_values: exact, strength, is_unknown: 0 };
    collected.edges.push({ ...edge(collected, entry, write, source, "OBSERVED", at + 1), ...evidence });
  });
  lineage.possible.forEach((source, at) => {
    const evidence = { reads: source.reads, is_unknown: source.unknown === true ? 1 : 0 };
    collected.edges.push({ ...edge(collected, entry, write, source, "POSSIBLE", at + 1), ...evidence });
  });
}

function edge(
  collected: Collected,
  entry: LedgerEntry,
  write: Proposal,
  source: Source,
  kind: EdgeRow["kind"],
  number: number,
): Omit<EdgeRow, "is_unknown"> {
  return {
    edge_key: hash("sha256", `${entry.hash} ${kind} ${number}`),
    kind,
    number,
    action_id: write.action,
    write_seq: String(entry.seq),
    write_utc: entry.recordedAt,
    chain_id: write.chain,
    platform_key: collected.platform(entry, write),
    platform_region: cut(write.region),
    source_chain_id: source.chain,
    source_platform_key: collected.platform(entry, source),
    source_region: cut(source.region),
    source_ledger: cut(source.ledger),
    source_seq: source.seq,
    source_hash: source.hash,
    crosses_platform: source.platform === write.platform ? 0 : 1,
    crosses_region: source.region === write.region ? 0 : 1,
  };
}
