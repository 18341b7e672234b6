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

/** An integer whose bits all depend on all bits of `value`. */
function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x7feb352d);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x846ca68b);
  return mixed ^ (mixed >>> 16);
}

/** The hash of the gram of the last `length` of the code units a, b, c and d. */
function hashOf(length: number, a: number, b: number, c: number, d: number): number {
  let value = Math.imul(length, 0x9e3779b1) + d;
  if (length > 1) value = Math.imul(value, 0x85ebca6b) + c;
  if (length > 2) value = Math.imul(value, 0xc2b2ae35) + b;
  if (length > 3) value = Math.imul(value, 0x27d4eb2f) + a;
  return mix(value);
}

function* bucketsOfHash(length: number, hash: number): Generator<number> {
  yield hash >>> SHIFT;
  if (length <= SHORT_GRAM) yield hash & (2 ** BUCKET_BITS - 1);
}

/** The buckets of the gram of `length` code units that begins at `at`. */
function bucketsOfGram(text: string, at: number, length: number): readonly number[] {
  const unit = (back: number) => (back < length ? text.charCodeAt(at + length - 1 - back) : 0);
  return [...bucketsOfHash(length, hashOf(length, unit(3), unit(2), unit(1), unit(0)))];
}

/** Buckets in which a block has a bit whenever a text in it contains `part`, folded. None for an empty part. */
export function bucketsOfPart(part: string): readonly number[] {
  const longest = Math.min(part.length, GRAM);
  const buckets = new Set<number>();
  // A short text has few grams of full length: its shorter ones are looked up as well.
  for (
    let length = longest;
    length > 0 && (length === longest || (length > 1 && buckets.size < ENOUGH_GRAMS));
    length--
  ) {
    const grams = part.length - length + 1;
    const taken = Math.min(grams, ENOUGH_GRAMS);
    for (let n = 0; n < taken; n++) {
      const at = Math.floor((n * grams) / taken);
      for (const bucket of bucketsOfGram(part, at, length)) buckets.add(bucket);
    }
  }
  return [...buckets];
}

/**
 * What is found by its whole value: columns for searching; the agent, person and groups of the action an entry is about
 * (`aboutActor`, …), or that it is about one that was not proposed by then; whether arguments or result are an object, an array
 * or another value.
 */
export type TokenKind =
  | "type"
  | "platform"
  | "tool"
  | "effect"
  | "actor"
  | "onBehalfOf"
  | "session"
  | "chain"
  | "sourceChain"
  | "aboutActor"
  | "aboutOnBehalfOf"
  | "aboutUnknown"
  | "asked"
  | "form";

/** Buckets in which a block has a bit whenever an entry of it has the token `kind` with this value. */
export function bucketsOfToken(kind: TokenKind, value: string): readonly number[] {
  let hash = 0x811c9dc5;
  const text = `${kind} ${value}`;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return Array.from({ length: TOKEN_BUCKETS }, (_, n) => mix(hash + n) >>> SHIFT);
}

/** The bits of one segment while they are built, block by block. */
export class SegmentBits {
  readonly bytes = new Uint8Array(BITS_BYTES);
  /** Of the current block, by bucket: small enough for the processor's cache, in whatever order buckets come. */
  readonly #buckets = new Uint8Array(2 ** BUCKET_BITS);

  /** Adds `text`, folded, to the current block: every part of it is found there. */
  addText(text: string): void {
    const buckets = this.#buckets;
    const low = 2 ** BUCKET_BITS - 1;
    let [a, b, c] = [0, 0, 0];
    for (let index = 0; index < text.length; index++) {
      const d = text.charCodeAt(index);
      for (let length = Math.min(index + 1, GRAM); length > 0; length--) {
        const hash = hashOf(length, a, b, c, d);
        buckets[hash >>> SHIFT] = 1;
        if (length <= SHORT_GRAM) buckets[hash & low] = 1;
      }
      a = b;
      b = c;
      c = d;
    }
  }

  addToken(kind: TokenKind, value: string): void {
    for (const bucket of bucketsOfToken(kind, value)) this.#buckets[bucket] = 1;
  }

  /** Ends the current block, which is number `block`. */
  endBlock(block: number): void {
    const at = block >>> 3;
    const bit = 1 << (block & 7);
    for (let bucket = this.#buckets.indexOf(1); bucket !== -1; bucket = this.#buckets.indexOf(1, bucket + 1)) {
      this.bytes[bucket * ROW_BYTES + at]! |= bit;
    }
    this.#buckets.fill(0);
  }
}
