import { LRUCache } from "lru-cache";
import type { Fingerprint } from "./digest.ts";
import { unpacked } from "./read-set.ts";

/** Values whose sources are counted. Of others, which were read long ago or never, nothing is known. */
const MAX_VALUES = 20_000;
/** Sources of which more than this many have a value, or more than this share: it tells nothing. */
const MOST_SOURCES = 16;
const MOST_SHARE = 0.005;

/** Where a value is common or rare: in how many sources it was, of one organization in one region. */
export interface Rarity {
  /**
   * Notes that `source` has these values. A source is what was asked for, such as one record of one platform: that it is read
   * again tells nothing new. Any whole number below 2^32.
   */
  note(bytes: Uint8Array, source: number): void;
  /** How many sources have the value, roughly from 20 on. */
  sources(fingerprint: Fingerprint): number;
  /** What is left of the weight of a value: 1 if only one source has it, 0 if it is found anywhere. */
  factor(fingerprint: Fingerprint): number;
}

/** A bit for each source that has a value, of 64: where the sources of two servers are put together, none counts twice. */
interface Seen {
  low: number;
  high: number;
}

export function createRarity(): Rarity {
  const seen = new LRUCache<Fingerprint, Seen>({ max: MAX_VALUES });
  const all = new LRUCache<number, true>({ max: MAX_VALUES });

  function sources(fingerprint: Fingerprint): number {
    const bits = seen.get(fingerprint);
    return bits === undefined ? 0 : distinct(ones(bits.low) + ones(bits.high));
  }

  return {
    note(bytes, source) {
      all.set(source, true);
      const bit = source % 64;
      for (const fingerprint of unpacked(bytes)) {
        const bits = seen.get(fingerprint) ?? { low: 0, high: 0 };
        if (bit < 32) bits.low |= 1 << bit;
        else bits.high |= 1 << (bit - 32);
        seen.set(fingerprint, bits);
      }
    },
    sources,
    factor(fingerprint) {
      const most = Math.max(MOST_SOURCES, MOST_SHARE * all.size);
      return Math.max(0, 1 - Math.log2(Math.max(1, sources(fingerprint))) / Math.log2(2 * most));
    },
  };
}

/** How many sources set `set` of 64 bits (linear counting: Whang, Vander-Zanden and Taylor, 1990). */
function distinct(set: number): number {
  return set >= 64 ? 64 * Math.log(64) : Math.round(-64 * Math.log(1 - set / 64));
}

function ones(bits: number): number {
  let count = 0;
  for (let left = bits >>> 0; left !== 0; left &= left - 1) count += 1;
  return count;
}
