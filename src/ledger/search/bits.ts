/** Version of everything in this folder that decides what the bits of a segment are. */
const VERSION = 1;
/**
 * Segments of another format are ignored and built again. The version of Unicode decides how texts are folded, so servers with
 * different ones do not share an index.
 */
export const FORMAT = VERSION * 1_000 + Number.parseInt(process.versions.unicode ?? "0", 10);
/** Positions of a segment: 2^11, as in sql/000004 and sql/000011. */
export const SEGMENT = 2048n;
/** Positions of a block. The index finds blocks, which are then read entry by entry. */
export const BLOCK = 8n;
/** A segment has one row of bits for each bucket, with one bit for each of its blocks. */
export const ROW_BYTES = Number(SEGMENT / BLOCK / 8n);
const BUCKET_BITS = 15;
export const BITS_BYTES = 2 ** BUCKET_BITS * ROW_BYTES;
const SHIFT = 32 - BUCKET_BITS;
const LOW = 2 ** BUCKET_BITS - 1;

/** Grams are runs of at most so many UTF-16 code units. */
const GRAM = 4;
/** A gram of at most so many code units has two buckets: there are few of them, so they do not fill the rows. */
const SHORT_GRAM = 3;
const TOKEN_BUCKETS = 5;
/** At most so many grams of a long text are looked up. */
const ENOUGH_GRAMS = 12;

/** The segment that position `seq` is in. */
export function segmentOf(seq: bigint): bigint {
  return (seq - 1n) / SEGMENT;
}

/** The first position of `segment`. */
export function startOf(segment: bigint): bigint {
  return segment * SEGMENT + 1n;
}

/** A hash of a 32-bit integer: every bit of `value` changes about half of its bits (lowbias32, github.com/skeeto/hash-prospector). */
function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x7feb352d);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x846ca68b);
  return mixed ^ (mixed >>> 16);
}

/** The polynomial of a gram is that of the gram without its last code unit, times this, plus that code unit. */
const BASE = 0x01000193;
const LENGTHS = [0, 0x9e3779b1, 0x3c6ef362, 0xdaa66d13, 0x78dde6c4];

/** Fewer steps than `mix`: a segment has millions of grams. */
function hashOfGram(length: number, polynomial: number): number {
  const value = polynomial + LENGTHS[length]!;
  return Math.imul(value ^ (value >>> 15), 0x846ca68b);
}

/** Single code units below this (ASCII) are not indexed: most blocks contain all of them. */
const SINGLE = 0x80;

/** The buckets of the gram of `length` code units that begins at `at`. */
function bucketsOfGram(text: string, at: number, length: number): readonly number[] {
  let polynomial = 0;
  for (let index = at; index < at + length; index++) polynomial = Math.imul(polynomial, BASE) + text.charCodeAt(index);
  if (length === 1 && polynomial < SINGLE) return [];
  const hash = hashOfGram(length, polynomial);
  return length <= SHORT_GRAM ? [hash >>> SHIFT, (hash >>> 2) & LOW] : [hash >>> SHIFT];
}

/** Buckets in which a block has a bit whenever a text in it contains `part`, folded. None for an empty part. */
export function bucketsOfPart(part: string): readonly number[] {
  const longest = Math.min(part.length, GRAM);
  const buckets = new Set<number>();
  // A short text has few grams of full length: its shorter ones are looked up as well.
  for (let length = longest; length > 0 && (length === longest || buckets.size < ENOUGH_GRAMS); length--) {
    const grams = part.length - length + 1;
    const taken = Math.min(grams, ENOUGH_GRAMS);
    for (let n = 0; n < taken; n++) {
      const at = Math.floor((n * grams) / taken);
      for (const bucket of bucketsOfGram(part, at, length)) buckets.add(bucket);
    }
  }
  return [...buckets];
}

/** Columns that a search combines in any way: an entry has a token for each combination of its values. */
export const COLUMNS = ["type", "platform", "tool", "effect", "actor", "onBehalfOf"] as const;
export type Column = (typeof COLUMNS)[number];

/**
 * What is found by its whole value, besides: the agent, person and groups of the action an entry is about (`aboutActor`, …), or
 * that it is about one that was not proposed by then; whether arguments or result are an object, an array or another value.
 */
export type TokenKind =
  | "session"
  | "chain"
  | "sourceChain"
  | "aboutActor"
  | "aboutOnBehalfOf"
  | "aboutUnknown"
  | "asked"
  | "form";

function hashOfText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mix(hash);
}

function bucketOfToken(hash: number, n: number): number {
  return mix(hash + Math.imul(n, 0x9e3779b1)) >>> SHIFT;
}

function bucketsOfHashedToken(hash: number): readonly number[] {
  return Array.from({ length: TOKEN_BUCKETS }, (_, n) => bucketOfToken(hash, n));
}

/** Buckets in which a block has a bit whenever an entry of it has the token `kind` with this value. */
export function bucketsOfToken(kind: TokenKind, value: string): readonly number[] {
  return bucketsOfHashedToken(hashOfText(`${kind} ${value}`));
}

type Values = { readonly [column in Column]?: string | null | undefined };

/** The hash of a combination with one more value. */
function combine(combination: number, value: number): number {
  return mix(Math.imul(combination, 0x85ebca6b) + value);
}

/** The hashes of those values that there are. */
function hashesOf(values: Values): readonly number[] {
  return COLUMNS.flatMap((column) => {
    const value = values[column];
    return value === undefined || value === null ? [] : [hashOfText(`${column} ${value}`)];
  });
}

/** Buckets in which a block has a bit whenever an entry of it has all of these values, of which there is at least one. */
export function bucketsOfColumns(values: Values): readonly number[] {
  return bucketsOfHashedToken(hashesOf(values).reduce(combine, 0));
}

/** The hashes of all combinations of `values`, of one or more. */
function hashesOfCombinations(values: Values): readonly number[] {
  const hashes = [0];
  for (const value of hashesOf(values)) {
    for (const combination of hashes.slice()) hashes.push(combine(combination, value));
  }
  return hashes.slice(1);
}

/** The bits of one segment while they are built, block by block, in order. */
export class SegmentBits {
  readonly #bytes = new Uint8Array(BITS_BYTES);
  /** The byte of each bucket that has the bit of the current block: small enough for the processor's cache. */
  readonly #current = new Uint8Array(2 ** BUCKET_BITS);
  #place = 0;
  #bit = 1;

  /** What is added from now on belongs to block number `block` of the segment. */
  beginBlock(block: number): void {
    const place = block >>> 3;
    if (place !== this.#place) this.#store();
    this.#place = place;
    this.#bit = 1 << (block & 7);
  }

  #store(): void {
    const current = this.#current;
    const bytes = this.#bytes;
    for (let bucket = 0, at = this.#place; bucket < current.length; bucket++, at += ROW_BYTES) {
      bytes[at] = current[bucket]!;
    }
    current.fill(0);
  }

  /** Adds `text`, folded: every part of it is found. */
  addText(text: string): void {
    const current = this.#current;
    const bit = this.#bit;
    // Polynomials of the last one, two and three code units.
    let [one, two, three] = [0, 0, 0];
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      const four = Math.imul(three, BASE) + unit;
      three = Math.imul(two, BASE) + unit;
      two = Math.imul(one, BASE) + unit;
      one = unit;
      if (index > 2) current[hashOfGram(4, four) >>> SHIFT]! |= bit;
      if (index > 1) {
        const hash = hashOfGram(3, three);
        current[hash >>> SHIFT]! |= bit;
        current[(hash >>> 2) & LOW]! |= bit;
      }
      if (index > 0) {
        const hash = hashOfGram(2, two);
        current[hash >>> SHIFT]! |= bit;
        current[(hash >>> 2) & LOW]! |= bit;
      }
      if (unit >= SINGLE) {
        const hash = hashOfGram(1, unit);
        current[hash >>> SHIFT]! |= bit;
        current[(hash >>> 2) & LOW]! |= bit;
      }
    }
  }

  addToken(kind: TokenKind, value: string): void {
    for (const bucket of bucketsOfToken(kind, value)) this.#current[bucket]! |= this.#bit;
  }

  /** Adds the values of the columns of one entry. */
  addColumns(values: Values): void {
    for (const hash of hashesOfCombinations(values)) {
      for (let n = 0; n < TOKEN_BUCKETS; n++) this.#current[bucketOfToken(hash, n)]! |= this.#bit;
    }
  }

  /** The bits of all blocks so far. */
  finish(): Uint8Array {
    this.#store();
    return this.#bytes;
  }
}
