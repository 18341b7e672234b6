import type { WriteLineage } from "../lineage/sources/origins.ts";
import type { Lineage, ShareKind } from "./conditions/variables.ts";
import type { PolicyDocument } from "./document/schema.ts";

/** What is known of where the data of a proposal is from, whatever a catalog says of platforms. */
export interface KnownSources {
  /** What was read before in every region; undefined: no policy asked when it was proposed. */
  readonly reads?: Reads | undefined;
  /** Of a write: what its entry says; undefined: it is none, or nothing was looked up. */
  readonly recorded?: WriteLineage | undefined;
  /** Arguments of a write without a known source, as its entry has them. */
  readonly unsourced?: readonly string[] | undefined;
}

interface Reads {
  readonly known: readonly { readonly platform: string; readonly region: string }[];
  readonly unread: readonly string[];
}

/**
 * The `lineage` that conditions read: where a proposal on `platform` has its data from, or may have. A region that could not be asked counts as if each of
 * its platforms had been read. Untrusted is what this catalog says so of.
 */
export function lineageOf(sources: KnownSources, platform: string, catalog: PolicyDocument["catalog"]): Lineage {
  const { reads, recorded, unsourced = [] } = sources;
  const { platforms } = catalog;
  const unread = new Set([...(reads?.unread ?? []), ...(recorded?.unread ?? [])]);
  const others = (reads?.known ?? []).filter((read) => read.platform !== platform);
  const suspected = Object.entries(platforms).flatMap(([name, { region }]) => (unread.has(region) ? [name] : []));
  const { observed = [], possible = [] } = recorded ?? {};
  const all = [...others, ...observed, ...possible];
  const isPossible = others.length + possible.length + unread.size > 0;
  return {
    kinds: [...(observed.length > 0 ? ["OBSERVED"] : []), ...(isPossible ? ["POSSIBLE"] : [])],
    platforms: distinct([...all.map((read) => read.platform), ...suspected.filter((name) => name !== platform)]),
    regions: distinct([...all.map((read) => read.region), ...unread]),
    observedPlatforms: distinct(observed.map((read) => read.platform)),
    observedRegions: distinct(observed.map((read) => read.region)),
    ...influenceOf(sources, suspected, (name) => Object.hasOwn(platforms, name) && platforms[name]?.untrusted === true),
    unsourced,
  };
}

/** `sources` of a write of which nothing was looked up: it may be from all that was read, or from any platform where that is not known either. */
export function notLookedUp(sources: KnownSources, { platforms }: PolicyDocument["catalog"]): KnownSources {
  const unknown = sources.reads?.known.map((read) => read.platform) ?? Object.keys(platforms);
  const recorded = { observed: [], possible: [], origins: [], unknown, uncompared: true as const };
  return { ...sources, recorded, unsourced: [""] };
}

/** What values of the arguments came from, by kind of source. `suspected`: platforms that could not be asked. */
function influenceOf(
  { reads, recorded }: KnownSources,
  suspected: readonly string[],
  isUntrusted: (name: string) => boolean,
): Pick<Lineage, "evidence" | "untrusted" | "fromUntrusted" | "shares"> {
  const { origins = [], unknown = [], uncompared, earlier, left } = recorded ?? {};
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
  const all = Object.values(sums).reduce((sum, count) => sum + count, 0);
  // What could not be compared may have each value: those of which no source is known, and whatever the person is said to have asked for.
  const forgotten = earlier === true || left !== undefined ? (reads?.known ?? []).map((read) => read.platform) : [];
  const doubtful = [...unknown, ...suspected, ...forgotten].filter(isUntrusted);
  if (sums.none > 0 || uncompared === true) untrusted.push(...doubtful);
  if (all > 0 || uncompared === true) fromUntrusted.push(...doubtful);
  const share = (count: number) => (all === 0 ? 0 : Math.round((count / all) * 1_000) / 1_000);
  return {
    evidence: origins.reduce((sum, { platforms, values }) => sum + (platforms.length > 0 ? values : 0), 0),
    untrusted: distinct(untrusted),
    fromUntrusted: distinct([...fromUntrusted, ...untrusted]),
    shares: {
      user: share(sums.user),
      trusted: share(sums.trusted),
      untrusted: share(sums.untrusted),
      // Never rounded to nothing: a rule asks whether there is any.
      none: sums.none === 0 ? 0 : Math.max(0.001, share(sums.none)),
    },
  };
}

const distinct = (names: readonly string[]) => [...new Set(names)].sort();
