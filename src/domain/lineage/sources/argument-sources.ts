import type { Fingerprint } from "../fingerprints/digest.ts";
import { OBSERVED_STRENGTH, rarenessOf, withoutOverlaps } from "../fingerprints/evidence.ts";
import type { Feature } from "../fingerprints/features.ts";
import type { Rarity } from "../fingerprints/rarity.ts";
import { featuresAt, pathsBeyond, type Written } from "../fingerprints/written.ts";
import type { RecentRead } from "./recent-reads.ts";

/** Where one value of the arguments is from, or an argument of which no value has a source. */
export interface ArgumentSource {
  readonly path: string;
  /** Of two values that are one in what was read: the path of the second. */
  readonly and?: string | undefined;
  /** The place within a text, in UTF-16 code units; undefined: the whole value. */
  readonly span: readonly [start: number, end: number] | undefined;
  readonly fingerprint: Fingerprint | undefined;
  /** The person asked for it. */
  readonly isSaid: boolean;
  /** The reads that have it. */
  readonly reads: readonly RecentRead[];
  /** It is too short or too common to tell where it is from. */
  readonly isCommon: boolean;
}

/** What was read, as far as `written` has it. */
export interface FoundRead {
  readonly read: RecentRead;
  readonly found: ReadonlySet<Fingerprint>;
  /** Whether the write is observed to have values of it. */
  readonly isObserved: boolean;
  /** What it was asked with, which it may only repeat; undefined: that is not known. */
  readonly asked: ReadonlySet<Fingerprint> | undefined;
}

/**
 * What a whole argument tells, of which there is no other: a number of four digits is enough. What stands within a text, or is a single word, is from a
 * read only where more of that read is written, and asked for only where it tells enough by itself.
 */
const WHOLE_ARGUMENT = 3;

/**
 * The sources of all arguments, those of values found first in their order, then arguments without any: also texts of which something is left that no source
 * has. Values that only `untrusted` platforms have count however many pages have them, since whoever writes one writes many.
 */
export function argumentSources(
  written: Written,
  said: ReadonlySet<Fingerprint>,
  reads: readonly FoundRead[],
  rarity: Pick<Rarity, "factor">,
  untrusted: ReadonlySet<string>,
): readonly ArgumentSource[] {
  const sourcesOf = createSources(reads, rarity, untrusted);
  const found: ArgumentSource[] = [];
  const known = featuresAt(written, new Set([...sourcesOf.fingerprints, ...said])).filter(
    (feature) => isAskedFor(feature, said) || sourcesOf(feature).all.length > 0,
  );
  // The longest that tells something: what only tells nothing hides no part of it.
  const telling = known.filter((feature) => isAskedFor(feature, said) || sourcesOf(feature).telling.length > 0);
  const common = known.filter(({ part }) => part === "WHOLE");
  for (const feature of withoutOverlaps(telling)) {
    const { fingerprint, path, and, start, end, part } = feature;
    const span = part === "WHOLE" ? undefined : ([start, end] as const);
    const place = { path, and, span, fingerprint, isSaid: isAskedFor(feature, said), isCommon: false };
    found.push({ ...place, reads: sourcesOf(feature).telling });
  }
  const told = new Set(found.map(({ path }) => path));
  for (const feature of withoutOverlaps(common)) {
    const { fingerprint, path, and } = feature;
    if (told.has(path)) continue;
    found.push({
      path,
      and,
      span: undefined,
      fingerprint,
      isSaid: false,
      reads: sourcesOf(feature).all,
      isCommon: true,
    });
  }
  const places = new Map<string, (readonly [number, number])[] | undefined>();
  for (const { path, and, span } of found) {
    const known = places.get(path);
    if (span === undefined || (places.has(path) && known === undefined)) places.set(path, undefined);
    else if (known === undefined) places.set(path, [span]);
    else known.push(span);
    if (and !== undefined) places.set(and, undefined);
  }
  const beyond = pathsBeyond(written, places, OBSERVED_STRENGTH);
  const unsourced = [...beyond].map((path) => ({ ...UNSOURCED, path, isCommon: false }));
  const short = written.leaves.filter((path) => !beyond.has(path) && !places.has(path));
  return [...found, ...unsourced, ...short.map((path) => ({ ...UNSOURCED, path, isCommon: true }))];
}

/** The person asked for it: within a text, only where it tells enough by itself. */
function isAskedFor({ fingerprint, part, weight }: Feature, said: ReadonlySet<Fingerprint>): boolean {
  return said.has(fingerprint) && (part === "WHOLE" || weight >= OBSERVED_STRENGTH);
}

interface Sources {
  /** The reads that have a value, other than those that it was asked of. */
  readonly all: readonly RecentRead[];
  /** Those of them that it is from. */
  readonly telling: readonly RecentRead[];
}

/** The reads that a value may be from. Each is looked up once: a write may have one value many times, and many reads may have it. */
function createSources(
  reads: readonly FoundRead[],
  rarity: Pick<Rarity, "factor">,
  untrusted: ReadonlySet<string>,
): { (feature: Feature): Sources; readonly fingerprints: Iterable<Fingerprint> } {
  const having = new Map<Fingerprint, FoundRead[]>();
  for (const one of reads) {
    const { read, asked } = one;
    for (const fingerprint of one.found) {
      // What it was asked with is not known: a platform is not trusted then.
      if (asked === undefined ? !untrusted.has(read.platform) : asked.has(fingerprint)) continue;
      const known = having.get(fingerprint);
      if (known === undefined) having.set(fingerprint, [one]);
      else known.push(one);
    }
  }
  const made = new Map<string, Sources>();
  const sourcesOf = (feature: Feature): Sources => {
    const { fingerprint, part, weight } = feature;
    const key = `${fingerprint} ${part} ${weight}`;
    const known = made.get(key);
    if (known !== undefined) return known;
    const all = having.get(fingerprint) ?? [];
    const isDoubtful = all.every(({ read }) => untrusted.has(read.platform));
    const left = isDoubtful ? 1 : rarenessOf(rarity.factor(fingerprint)).left;
    const found = { all: readsOf(all), telling: readsOf(all.filter((one) => isFrom(one, feature, left))) };
    made.set(key, found);
    return found;
  };
  return Object.assign(sourcesOf, { fingerprints: having.keys() });
}

function isFrom({ isObserved }: FoundRead, { weight, part }: Feature, left: number): boolean {
  const strength = weight * left;
  const isWhole = part === "WHOLE" && weight >= WHOLE_ARGUMENT && left >= 0.5;
  return strength > 0 && (isObserved || strength >= OBSERVED_STRENGTH || isWhole);
}

const readsOf = (found: readonly FoundRead[]) => found.map(({ read }) => read);
const UNSOURCED = { and: undefined, span: undefined, fingerprint: undefined, isSaid: false, reads: [] } as const;

/** The platforms of reads, by name. Values share lists of reads, so each is gone through once. */
export function createPlatforms(): (reads: readonly RecentRead[]) => readonly string[] {
  const known = new Map<readonly RecentRead[], readonly string[]>();
  return (reads) => {
    const found = known.get(reads) ?? [...new Set(reads.map(({ platform }) => platform))].sort();
    known.set(reads, found);
    return found;
  };
}

/** How many values have the same sources. */
export interface OriginGroup {
  readonly platforms: readonly string[];
  readonly said?: true | undefined;
  readonly mixed?: true | undefined;
  readonly values: number;
}

/** Combinations of platforms that are told apart. */
const MOST_GROUPS = 50;

/** What `sources` come to, by platforms. What is too common to tell does not count. */
export function groupsOf(sources: readonly ArgumentSource[]): readonly OriginGroup[] {
  const groups = new Map<string, OriginGroup>();
  const platformsOf = createPlatforms();
  for (const { reads, isSaid, isCommon } of sources) {
    if (isCommon) continue;
    const platforms = platformsOf(reads);
    const key = JSON.stringify([platforms, isSaid]);
    const known = groups.get(key) ?? { platforms, said: isSaid ? (true as const) : undefined, values: 0 };
    groups.set(key, { ...known, values: known.values + 1 });
  }
  const order = ({ platforms, values }: OriginGroup) => (platforms.length === 0 ? Number.POSITIVE_INFINITY : values);
  const sorted = [...groups.values()].sort((one, other) => (order(other) > order(one) ? 1 : -1));
  const rest = sorted.slice(MOST_GROUPS);
  if (rest.length === 0) return sorted;
  return [...sorted.slice(0, MOST_GROUPS), ...together(rest, true), ...together(rest, undefined)];
}

function together(groups: readonly OriginGroup[], said: true | undefined): readonly OriginGroup[] {
  const all = groups.filter((group) => group.said === said);
  if (all.length === 0) return [];
  const platforms = [...new Set(all.flatMap((group) => group.platforms))].sort();
  return [{ platforms, said, mixed: true, values: all.reduce((sum, { values }) => sum + values, 0) }];
}
