import type { Principal } from "../../identity/principal.ts";
import type { FindReads, PossibleReads, ReadMarker } from "../../lineage/possible-reads.ts";
import type { WriteLineage } from "../../lineage/sources/origins.ts";
import type { SourcedArgument } from "../../lineage/sources/told.ts";
import type { Lineage, ShareKind } from "../../policy/conditions/variables.ts";
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

/** What is known of where the data of a proposal is from. */
export interface KnownSources {
  /** What was read before in every region; undefined: no policy asked. */
  readonly reads: PossibleReads | undefined;
  /** Of a write: what its entry says; undefined: it is none, or nothing was looked up. */
  readonly recorded: WriteLineage | undefined;
  /** Arguments of a write, as far as they are known. */
  readonly arguments?: readonly SourcedArgument[] | undefined;
}

/**
 * The `lineage` that conditions read: where a proposal on `platform` has its data from, or may have. A region that could not be asked counts as if each of
 * its platforms had been read. Untrusted is what the catalog says so of now.
 */
export function lineageOf(sources: KnownSources, platform: string, { platforms }: Catalog): Lineage {
  const { recorded, arguments: named = [] } = sources;
  const unread = new Set([...(sources.reads?.unread ?? []), ...(recorded?.unread ?? [])]);
  const others = (sources.reads?.known ?? []).filter((read) => read.platform !== platform);
  const suspected = Object.entries(platforms).flatMap(([name, { region }]) => (unread.has(region) ? [name] : []));
  const { observed = [], possible = [] } = recorded ?? {};
  const all = [...others, ...observed, ...possible];
  const elsewhere = suspected.filter((name) => name !== platform);
  const isPossible = others.length + possible.length + unread.size > 0;
  const isUntrusted = (name: string) => Object.hasOwn(platforms, name) && platforms[name]?.untrusted === true;
  return {
    kinds: [...(observed.length > 0 ? ["OBSERVED"] : []), ...(isPossible ? ["POSSIBLE"] : [])],
    platforms: distinct([...all.map((read) => read.platform), ...elsewhere]),
    regions: distinct([...all.map((read) => read.region), ...unread]),
    observedPlatforms: distinct(observed.map((read) => read.platform)),
    observedRegions: distinct(observed.map((read) => read.region)),
    ...influenceOf(recorded, suspected, isUntrusted),
    unsourced: distinct(
      named.filter(({ said, seq, common }) => !said && !common && seq === undefined).map(({ path }) => path),
    ),
  };
}

/** The same of a proposal that was recorded; undefined: nothing was looked up for it. */
export function knownLineage(sources: KnownSources, platform: string, catalog: Catalog): Lineage | undefined {
  if (sources.reads === undefined && sources.recorded === undefined) return undefined;
  return lineageOf(sources, platform, catalog);
}

/** What values of the arguments came from, by kind of source. `suspected`: platforms that could not be asked. */
function influenceOf(
  recorded: WriteLineage | undefined,
  suspected: readonly string[],
  isUntrusted: (name: string) => boolean,
): Pick<Lineage, "evidence" | "untrusted" | "fromUntrusted" | "shares"> {
  const { origins = [], possible = [], uncompared, earlier } = recorded ?? {};
  const sums: Record<ShareKind, number> = { user: 0, trusted: 0, untrusted: 0, none: 0 };
  const untrusted: string[] = [];
  const fromUntrusted: string[] = [];
  for (const { platforms, said, mixed, values } of origins) {
    const doubtful = platforms.filter(isUntrusted);
    fromUntrusted.push(...doubtful);
    const isOnly = doubtful.length > 0 && (mixed === true || doubtful.length === platforms.length);
    const kind = said ? "user" : platforms.length === 0 ? "none" : isOnly ? "untrusted" : "trusted";
    sums[kind] += values;
    if (kind === "untrusted") untrusted.push(...doubtful);
  }
  // What could not be compared may have each value of which no source is known.
  if (sums.none > 0 || uncompared === true || earlier === true) {
    const unknown = possible.flatMap((read) => (read.unknown === true || earlier === true ? [read.platform] : []));
    untrusted.push(...[...unknown, ...suspected].filter(isUntrusted));
  }
  const all = Object.values(sums).reduce((sum, count) => sum + count, 0);
  const share = (count: number) => (all === 0 ? 0 : Math.round((count / all) * 1_000) / 1_000);
  return {
    evidence: origins.reduce((sum, { platforms, values }) => sum + (platforms.length > 0 ? values : 0), 0),
    untrusted: distinct(untrusted),
    fromUntrusted: distinct([...fromUntrusted, ...untrusted]),
    shares: {
      user: share(sums.user),
      trusted: share(sums.trusted),
      untrusted: share(sums.untrusted),
      none: share(sums.none),
    },
  };
}

const distinct = (names: readonly string[]) => [...new Set(names)].sort();

/** What a proposal records of the reads that it may have drawn from. */
export function recordedReads({ known, unread }: PossibleReads, { platform }: Proposed["proposal"]) {
  const others = known.filter((read) => read.platform !== platform);
  const latest = new Map(others.map((read) => [`${read.region} ${read.platform}`, read]));
  const places = [...latest.values()].map(({ chain: _chain, reads: _reads, ...place }) => place);
  return { known: places, unread: [...unread] };
}
