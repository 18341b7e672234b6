/** The ids of entries that were checked, with their positions. Ids are 16 bytes, positions below 2^53. */
export interface Ids {
  readonly bytes: Uint8Array;
  readonly positions: Float64Array;
}

export interface IdCollector {
  /** Takes an id as text; what is no UUID in lower case is reported by the check of its entry, and passed over. */
  add(id: string, seq: bigint): void;
  ids(): Ids;
}

const ID_BYTES = 16;
const WORDS = ID_BYTES / 4;

export function createIdCollector(): IdCollector {
  let bytes = new Uint8Array(1_024 * ID_BYTES);
  let positions = new Float64Array(1_024);
  let count = 0;
  return {
    add(id, seq) {
      if (count === positions.length) {
        bytes = grown(bytes, new Uint8Array(bytes.length * 2));
        positions = grown(positions, new Float64Array(positions.length * 2));
      }
      if (!writeUuid(id, bytes, count * ID_BYTES)) return;
      positions[count] = Number(seq);
      count += 1;
    },
    ids: () => ({ bytes: bytes.slice(0, count * ID_BYTES), positions: positions.slice(0, count) }),
  };
}

function grown<Numbers extends Uint8Array | Float64Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from);
  return to;
}

/** Writes the 16 bytes of a UUID of 36 characters; false for other text. */
function writeUuid(id: string, bytes: Uint8Array, begin: number): boolean {
  if (id.length !== 36) return false;
  let to = begin;
  for (let at = 0; at < 36; at += 2) {
    if (at === 8 || at === 13 || at === 18 || at === 23) at += 1;
    const byte = (digit(id.charCodeAt(at)) << 4) | digit(id.charCodeAt(at + 1));
    if (byte < 0) return false;
    bytes[to] = byte;
    to += 1;
  }
  return true;
}

/** The value of a lowercase hex digit; -1 when it is none. */
function digit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
}

/** Entries with an id that an earlier one has. */
export interface IdSet {
  /** Adds ids of a part of a ledger, in any order of parts. */
  add(ids: Ids): void;
  /** The later position of each pair with the same id, with that id; at most `limit`. */
  readonly repeated: readonly { readonly seq: bigint; readonly id: string }[];
}

/**
 * A hash of the four words of an id: the XOR of a random number for each byte, by its place and value (tabulation hashing). Whoever
 * chooses ids does not know where they come to lie, nor which ones come to lie together.
 */
export function createIdHash(): (words: Uint32Array, at: number) => number {
  const table = crypto.getRandomValues(new Uint32Array(ID_BYTES * 256));
  return (words, at) => {
    let hash = 0;
    for (let word = 0; word < WORDS; word++) {
      const value = words[at + word]!;
      const row = word * 1_024;
      hash ^= table[row + (value & 0xff)]! ^ table[row + 256 + ((value >>> 8) & 0xff)]!;
      hash ^= table[row + 512 + ((value >>> 16) & 0xff)]! ^ table[row + 768 + (value >>> 24)]!;
    }
    return hash >>> 0;
  };
}

/** Ids that are compared with each other: 24 bytes each, and as much again for the table to be half empty: 400 MB. */
export const MAX_IDS = 8_000_000;

/**
 * A hash table over all ids of a verification. Beyond MAX_IDS, ids are compared with those that are in it and are not added:
 * two that both come later are not compared with each other.
 */
export function createIdSet(limit: number): IdSet {
  let size = 1 << 16;
  let words = new Uint32Array(size * WORDS);
  // 0 is a free place: positions begin at 1.
  let positions = new Float64Array(size);
  let count = 0;
  const repeated: { seq: bigint; id: string }[] = [];
  const hashOf = createIdHash();

  const placeOf = (source: Uint32Array, at: number): number => {
    let place = hashOf(source, at) & (size - 1);
    while (positions[place] !== 0 && !isAt(source, at, place)) place = (place + 1) & (size - 1);
    return place;
  };
  const isAt = (source: Uint32Array, at: number, place: number): boolean => {
    for (let word = 0; word < WORDS; word++) if (words[place * WORDS + word] !== source[at + word]) return false;
    return true;
  };
  const put = (source: Uint32Array, at: number, place: number, position: number) => {
    for (let word = 0; word < WORDS; word++) words[place * WORDS + word] = source[at + word]!;
    positions[place] = position;
  };
  const grow = () => {
    const [oldWords, oldPositions] = [words, positions];
    size *= 2;
    words = new Uint32Array(size * WORDS);
    positions = new Float64Array(size);
    for (let place = 0; place < oldPositions.length; place++) {
      const position = oldPositions[place]!;
      if (position !== 0) put(oldWords, place * WORDS, placeOf(oldWords, place * WORDS), position);
    }
  };
  return {
    add({ bytes, positions: added }) {
      const source = new Uint32Array(bytes.buffer, bytes.byteOffset, added.length * WORDS);
      for (let index = 0; index < added.length; index++) {
        const [at, position] = [index * WORDS, added[index]!];
        const place = placeOf(source, at);
        const known = positions[place]!;
        if (known !== 0) {
          const id = toUuid(bytes.subarray(index * ID_BYTES, (index + 1) * ID_BYTES));
          if (repeated.length < limit) repeated.push({ seq: BigInt(Math.max(known, position)), id });
          positions[place] = Math.min(known, position);
        } else if (count < MAX_IDS) {
          put(source, at, place, position);
          count += 1;
          if (count * 2 > size) grow();
        }
      }
    },
    repeated,
  };
}

function toUuid(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
