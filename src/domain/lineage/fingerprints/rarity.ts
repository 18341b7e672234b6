import { LRUCache } from "lru-cache";
import type { Fingerprint } from "./digest.ts";
import { unpacked } from "./read-set.ts";

/** Values that one source has, and values that more have, whose sources are counted. Of others, which were read long ago or never, nothing is known. */
const MAX_VALUES = 20_000;
/** Sources of which more than this many have a value, or more than this share: it tells nothing. */
const MOST_SOURCES = 16;
const MOST_SHARE = 0.005;
/** Sources that whatever returned the same counts as at most, and reads of one principal do: an e-mail address that only they have still links. */
const MOST_ALIKE = 4;
const MOST_OF_ONE = 7;
/** Bytes of a set from which on it is no record but a list, whose values are found again in what is read of each. */
export const LONGEST_RECORD = 6_000;
/** What a value takes in memory, roughly. */
const VALUE_BYTES = 250;

/** Where a set was read. */
export interface ReadFrom {
  /** What was asked for, such as one record of one platform: that it is read again tells nothing new. Any whole number. */
  readonly source: number;
  /** Whoever read it, with whom they acted for. Any whole number. */
  readonly reader: number;
}

/** Where a value is common or rare: in how many sources it was, of one organization in one region. */
export interface Rarity {
  /** Notes that these values were read. What is longer than LONGEST_RECORD is not. */
  note(bytes: Uint8Array, from: ReadFrom): void;
  /** How many sources have the value, roughly from 20 on; fewer where they are much alike, or few principals read them. */
  sources(fingerprint: Fingerprint): number;
  /** What is left of the weight of a value: 1 if only one source has it, 0 if it is found anywhere. */
  factor(fingerprint: Fingerprint): number;
  /** Bytes of memory that it takes, roughly. */
  size(): number;
}

/** A bit for each of what has a value, of 64: where what two servers saw is put together, nothing counts twice. */
class Bits {
  #low = 0;
  #high = 0;

  add(one: number): void {
    const bit = one % 64;
    if (bit < 32) this.#low |= 1 << bit;
    else this.#high |= 1 << (bit - 32);
  }

  /** How many there are (linear counting: Whang, Vander-Zanden and Taylor, 1990). */
  count(): number {
    const set = ones(this.#low) + ones(this.#high);
    return set >= 64 ? 64 * Math.log(64) : Math.round(-64 * Math.log(1 - set / 64));
  }
}

class Seen {
  readonly #asked = new Bits();
  readonly #alike = new Bits();
  readonly #readers = new Bits();

  add({ source, reader }: ReadFrom, alike: number): void {
    this.#asked.add(source);
    this.#alike.add(alike);
    this.#readers.add(reader);
  }

  count(): number {
    return Math.min(this.#asked.count(), MOST_ALIKE * this.#alike.count(), MOST_OF_ONE * this.readers());
  }

  readers(): number {
    return this.#readers.count();
  }
}

export function createRarity(): Rarity {
  // Apart, so that what is read once does not push out what is common.
  const once = new LRUCache<Fingerprint, Seen>({ max: MAX_VALUES });
  const often = new LRUCache<Fingerprint, Seen>({ max: MAX_VALUES });
  const all = new LRUCache<number, true>({ max: MAX_VALUES });

  function sources(fingerprint: Fingerprint): number {
    return (often.get(fingerprint) ?? once.get(fingerprint))?.count() ?? 0;
  }

  function add(fingerprint: Fingerprint, from: ReadFrom, alike: number): void {
    const common = often.get(fingerprint);
    if (common !== undefined) {
      common.add(from, alike);
      return;
    }
    const seen = once.get(fingerprint) ?? new Seen();
    seen.add(from, alike);
    // One principal alone does not push out what others read either.
    if (seen.count() >= 2 && (often.size < MAX_VALUES || seen.readers() >= 2)) {
      once.delete(fingerprint);
      often.set(fingerprint, seen);
    } else once.set(fingerprint, seen);
  }

  return {
    note(bytes, from) {
      if (bytes.byteLength > LONGEST_RECORD) return;
      all.set(from.source, true);
      const fingerprints = [...unpacked(bytes)];
      // Sets that are the same, or nearly, have mostly the same first and last one (min-wise hashing: Broder, 1997).
      const alike = ((fingerprints[0] ?? 0) % 8_191) * 8_191 + ((fingerprints.at(-1) ?? 0) % 8_191);
      for (const fingerprint of fingerprints) add(fingerprint, from, alike);
    },
    sources,
    factor(fingerprint) {
      const most = Math.max(MOST_SOURCES, MOST_SHARE * all.size);
      return Math.max(0, 1 - Math.log2(Math.max(1, sources(fingerprint))) / Math.log2(2 * most));
    },
    size: () => (once.size + often.size + all.size) * VALUE_BYTES,
  };
}

function ones(bits: number): number {
  let count = 0;
  for (let left = bits >>> 0; left !== 0; left &= left - 1) count += 1;
  return count;
}
