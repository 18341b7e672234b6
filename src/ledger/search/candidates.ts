import type { LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../read.ts";
import { BITS_BYTES, BLOCK, FORMAT, ROW_BYTES, SEGMENT, segmentOf, startOf } from "./bits.ts";
import type { Clause } from "./clauses.ts";

/** The part of a ledger that is searched; both ends belong to it. */
export interface Span {
  readonly first: bigint;
  readonly last: bigint;
  readonly newestFirst: boolean;
}

/** What to read next, in the order of the search. Once it has been read, nothing else can match up to `end`, which is included. */
export type Piece = { readonly end: bigint } & (
  | { readonly kind: "nothing" }
  | { readonly kind: "positions"; readonly first: bigint; readonly last: bigint }
  /** Blocks by their first positions. */
  | { readonly kind: "blocks"; readonly starts: readonly bigint[] }
);

/** How many segments one statement reads, statement by statement: few at first, because these fill most pages. */
const SEGMENTS = [4, 32, 128];
/** The same for blocks. */
const BLOCKS = [8, 32, 128];

const growing = (sizes: readonly number[], turn: number) => sizes[Math.min(turn, sizes.length - 1)]!;

/**
 * The pieces of `span` that can hold an entry that meets all of `clauses`. A segment without an index is a piece as a whole, so
 * that what is newer than the index, or was removed from it, is found as well.
 */
export async function* piecesOf(
  db: Queryable,
  ledger: LedgerId,
  clauses: readonly Clause[],
  span: Span,
): AsyncGenerator<Piece> {
  const { first, last, newestFirst } = span;
  const step = newestFirst ? -1n : 1n;
  const [begin, end] = newestFirst ? [segmentOf(last), segmentOf(first)] : [segmentOf(first), segmentOf(last)];
  const left = (segment: bigint) => (newestFirst ? segment - end : end - segment);
  const gathering = new Gathering(span);
  for (let from = begin, turn = 0; left(from) >= 0n; turn++) {
    const size = BigInt(growing(SEGMENTS, turn));
    const to = left(from) < size ? end : from + step * (size - 1n);
    const known = await readSegments(db, ledger, newestFirst ? to : from, newestFirst ? from : to, clauses);
    for (let segment = from; segment !== to + step; segment += step) {
      const blocks = known.get(segment);
      if (blocks === undefined) yield* gathering.flush();
      yield* blocks === undefined ? gathering.whole(segment) : gathering.add(segment, blocks);
    }
    yield* gathering.flush();
    yield { kind: "nothing", end: gathering.endOf(to) };
    from = to + step;
  }
}

/** Collects blocks until they are worth a statement. */
class Gathering {
  readonly #span: Span;
  #starts: bigint[] = [];
  #turn = 0;

  constructor(span: Span) {
    this.#span = span;
  }

  /** The last position of `segment` in the order of the search. */
  endOf(segment: bigint): bigint {
    return this.#within(this.#span.newestFirst ? startOf(segment) : startOf(segment + 1n) - 1n);
  }

  #within(position: bigint): bigint {
    const { first, last } = this.#span;
    return position < first ? first : position > last ? last : position;
  }

  *whole(segment: bigint): Generator<Piece> {
    const [first, last] = [this.#within(startOf(segment)), this.#within(startOf(segment + 1n) - 1n)];
    yield { kind: "positions", first, last, end: this.endOf(segment) };
  }

  *add(segment: bigint, blocks: readonly number[]): Generator<Piece> {
    const { first, last, newestFirst } = this.#span;
    for (const block of newestFirst ? blocks.toReversed() : blocks) {
      const start = startOf(segment) + BigInt(block) * BLOCK;
      if (start + BLOCK <= first || start > last) continue;
      this.#starts.push(start);
      if (this.#starts.length >= growing(BLOCKS, this.#turn)) yield* this.flush();
    }
  }

  *flush(): Generator<Piece> {
    const starts = this.#starts;
    const latest = starts.at(-1);
    if (latest === undefined) return;
    this.#starts = [];
    this.#turn += 1;
    const end = this.#within(this.#span.newestFirst ? latest : latest + BLOCK - 1n);
    yield { kind: "blocks", starts, end };
  }
}

const READ_SEGMENTS = `
  SELECT s.segment, (SELECT string_agg(substring(s.bits FROM b.place FOR ${ROW_BYTES}), '' ORDER BY b.n)
                       FROM unnest($4::integer[]) WITH ORDINALITY AS b(place, n)) AS rows
    FROM oc_work.search_segment s
   WHERE s.ledger = $1 AND s.segment BETWEEN $2::bigint AND $3::bigint AND s.format = ${FORMAT}
     AND octet_length(s.bits) = ${BITS_BYTES}`;

interface SegmentRow {
  readonly segment: string;
  readonly rows: Buffer | null;
}

/** The blocks that may meet `clauses`, of each segment of the index between two, which are included. */
async function readSegments(
  db: Queryable,
  ledger: LedgerId,
  from: bigint,
  to: bigint,
  clauses: readonly Clause[],
): Promise<ReadonlyMap<bigint, readonly number[]>> {
  const buckets = [...new Set(clauses.flat(2))];
  const places = buckets.map((bucket) => bucket * ROW_BYTES + 1);
  const { rows } = await db.query<SegmentRow>(READ_SEGMENTS, [ledger, from, to, places]);
  const rowOf = new Map(buckets.map((bucket, n) => [bucket, n * ROW_BYTES]));
  return new Map(
    rows.map(({ segment, rows: bits }) => [BigInt(segment), blocksOf(bits ?? Buffer.alloc(0), rowOf, clauses)]),
  );
}

/** The numbers of the blocks that have the bits of all `clauses`. */
function blocksOf(bits: Buffer, rowOf: ReadonlyMap<number, number>, clauses: readonly Clause[]): readonly number[] {
  const may = new Uint8Array(ROW_BYTES).fill(0xff);
  for (const alternatives of clauses) {
    const any = new Uint8Array(ROW_BYTES);
    for (const buckets of alternatives) {
      for (let at = 0; at < ROW_BYTES; at++) {
        let all = 0xff;
        for (const bucket of buckets) all &= bits[rowOf.get(bucket)! + at]!;
        any[at]! |= all;
      }
    }
    for (let at = 0; at < ROW_BYTES; at++) may[at]! &= any[at]!;
  }
  const blocks: number[] = [];
  for (let block = 0; block < Number(SEGMENT / BLOCK); block++) {
    if ((may[block >>> 3]! >>> (block & 7)) & 1) blocks.push(block);
  }
  return blocks;
}
