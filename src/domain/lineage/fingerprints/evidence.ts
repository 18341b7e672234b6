import type { Fingerprint } from "./digest.ts";
import type { Feature } from "./features.ts";
import type { Rarity } from "./rarity.ts";
import { featuresAt, type Written } from "./written.ts";

/** A value, or piece of a text, that is in what was read and in what is to be written. */
export interface Shared extends Feature {
  /** What it tells, after how rare it is. */
  readonly strength: number;
  readonly rarity: Rareness;
  /** The person asked for it. */
  readonly isSaid: boolean;
}

/** What links a write to a read. */
export interface Evidence {
  readonly shared: readonly Shared[];
  /** What all of it tells together. */
  readonly strength: number;
  /** What is left of that without what the person asked for. */
  readonly unsaid: number;
}

/**
 * In how many sources a value is, in steps, so that nobody learns from one write whether somebody else read it. RARE: in two at most; COMMON: it tells next to
 * nothing.
 */
export type Rareness = "RARE" | "UNCOMMON" | "COMMON";

/** From here on it is observed that a write has values of a read: an e-mail address is enough, or two names. */
export const OBSERVED_STRENGTH = 5;

/** Places of one value that are looked at: it counts once. */
const MOST_PLACES = 4;

/** What is left of the weight of a value, by the factor for its sources. */
export function rarenessOf(factor: number): { readonly rarity: Rareness; readonly left: number } {
  if (factor >= 0.75) return { rarity: "RARE", left: 0.9 };
  return factor >= 0.4 ? { rarity: "UNCOMMON", left: 0.5 } : { rarity: "COMMON", left: factor >= 0.2 ? 0.2 : 0 };
}

/**
 * What `written` shares with a read that has these fingerprints. `said`: the fingerprints of what the person asked for. Each value counts once, and of
 * pieces of a text that overlap the longest.
 */
export function evidenceOf(
  written: Written,
  found: ReadonlySet<Fingerprint>,
  { factor }: Pick<Rarity, "factor">,
  said: ReadonlySet<Fingerprint> = new Set(),
): Evidence {
  const counted = new Map<Fingerprint, Shared>();
  for (const feature of withoutOverlaps(featuresAt(written, found, MOST_PLACES))) {
    const { fingerprint, weight } = feature;
    const { rarity, left } = rarenessOf(factor(fingerprint));
    const strength = weight * left;
    if ((counted.get(fingerprint)?.strength ?? -1) >= strength) continue;
    counted.set(fingerprint, { ...feature, strength, rarity, isSaid: said.has(fingerprint) });
  }
  const shared = [...counted.values()].sort((one, other) => other.strength - one.strength);
  const sum = (some: readonly Shared[]) => some.reduce((total, { strength }) => total + strength, 0);
  return { shared, strength: sum(shared), unsaid: sum(shared.filter(({ isSaid }) => !isSaid)) };
}

/**
 * Of features whose places overlap, the longest, and of equally long ones that which tells most. Pieces of longer texts tell as much as they
 * add to those before.
 */
export function withoutOverlaps(features: readonly Feature[]): readonly Feature[] {
  const ends = new Map<string, number>();
  for (const { path, end } of features) ends.set(path, Math.max(end, ends.get(path) ?? 0));
  // Whatever overlaps a shorter one covers one of its ends.
  const covered = new Map([...ends].map(([path, end]) => [path, new Uint8Array(end)]));
  const joined = new Set<string>();
  const begun = new Set<string>();
  const byLength = (one: Feature, other: Feature) => lengthOf(other) - lengthOf(one) || other.weight - one.weight;
  const values = features.filter(({ part }) => part !== "TEXT").toSorted(byLength);
  const pieces = features.filter(({ part }) => part === "TEXT").toSorted((one, other) => one.start - other.start);
  const apart = values.filter(({ path, and, start, end }) => {
    if (joined.has(path) || begun.has(`${and}`)) return false;
    if (and !== undefined && (joined.has(and) || begun.has(path))) return false;
    const cover = covered.get(path);
    if (cover?.[start] === 1 || cover?.[end - 1] === 1) return false;
    cover?.fill(1, start, end);
    begun.add(path);
    if (and !== undefined) for (const one of [path, and]) joined.add(one);
    return true;
  });
  const added = pieces.flatMap((piece) => {
    const { path, start, end, weight } = piece;
    const place = covered.get(path)?.subarray(start, end) ?? new Uint8Array();
    const fresh = place.reduce((count, one) => count + (one === 0 ? 1 : 0), 0);
    place.fill(1);
    return fresh === 0 ? [] : [{ ...piece, weight: (weight * fresh) / place.length }];
  });
  return [...apart, ...added];
}

/** Two values that are one elsewhere come first: their parts tell less. */
function lengthOf({ start, end, and }: Feature): number {
  return and === undefined ? end - start : Number.MAX_SAFE_INTEGER;
}
