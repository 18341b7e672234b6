import type { Principal } from "../../identity/principal.ts";
import type { FindReads, PossibleReads, ReadMarker } from "../../lineage/possible-reads.ts";
import type { Policy } from "../../policy/evaluate.ts";
import type { Proposed } from "./proposal-entry.ts";

type Catalog = Policy["document"]["catalog"];

/** The reads that proposals of one call may have drawn from. */
export type ReadsOf = (proposed: Proposed) => PossibleReads;

/**
 * What may be a source of `all`, which one caller proposes in this order: what was read before, and what those before it read. Throws
 * LedgerUnavailableError.
 */
export async function readsBefore(
  find: FindReads,
  principal: Principal,
  all: readonly Proposed[],
  policies: readonly Policy[],
): Promise<ReadsOf> {
  const catalogs = policies.map(({ document }) => document.catalog);
  const regions = catalogs.flatMap(({ platforms }) => Object.values(platforms).map(({ region }) => region));
  const before = await find(principal, [...new Set(regions)]);
  const known = [...before.known];
  const reads = new Map<string, PossibleReads>();
  for (const { id, ledger, proposal } of all) {
    if (!reads.has(id)) reads.set(id, { ...before, known: [...known] });
    const marker = markerOf(catalogs, proposal, ledger);
    if (marker !== undefined) known.push(marker);
  }
  return ({ id }) => reads.get(id) ?? before;
}

/** Of a proposal that is recorded with those after it, where it reads. */
function markerOf(
  catalogs: readonly Catalog[],
  { platform, tool }: Proposed["proposal"],
  ledger: string,
): ReadMarker | undefined {
  for (const { platforms, tools } of catalogs) {
    const reads = tools.some((one) => one.platform === platform && one.name === tool && one.effect === "READ");
    const region = Object.hasOwn(platforms, platform) ? platforms[platform]?.region : undefined;
    if (reads && region !== undefined) return { platform, region, ledger };
  }
  return undefined;
}

/** What a proposal records of the reads that it may have drawn from. */
export function recordedReads({ known, unread }: PossibleReads, { platform }: Proposed["proposal"]) {
  const others = known.filter((read) => read.platform !== platform);
  const latest = new Map(others.map((read) => [`${read.region} ${read.platform}`, read]));
  const places = [...latest.values()].map(({ chain: _chain, reads: _reads, ...place }) => place);
  return { known: places, unread: [...unread] };
}
