import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BITS_BYTES,
  bucketsOfColumns,
  bucketsOfPart,
  bucketsOfToken,
  COLUMNS,
  ROW_BYTES,
  SegmentBits,
} from "../../src/ledger/search/bits.ts";

const SEED = 20_261_127;

/** Whether block number `block` has a bit in every one of `buckets`. */
const has = (bits: Uint8Array, block: number, buckets: readonly number[]) =>
  buckets.every((bucket) => (bits[bucket * ROW_BYTES + (block >>> 3)]! >>> (block & 7)) & 1);

const blocks = fc
  .uniqueArray(fc.nat({ max: 255 }), { minLength: 1, maxLength: 12 })
  .map((all) => all.toSorted((a, b) => a - b));

describe("the bits of a segment", () => {
  it("have every part of a text in its block", () => {
    const text = fc.oneof(fc.string({ unit: "binary", maxLength: 60 }), fc.string({ maxLength: 60 }));
    fc.assert(
      fc.property(
        blocks,
        fc.array(text, { minLength: 1, maxLength: 4 }),
        fc.nat(),
        fc.nat(),
        (places, texts, from, size) => {
          const bits = new SegmentBits();
          for (const [n, block] of places.entries()) {
            bits.beginBlock(block);
            bits.addText(texts[n % texts.length]!);
          }
          const bytes = bits.finish();
          for (const [n, block] of places.entries()) {
            const whole = texts[n % texts.length]!;
            const start = from % (whole.length + 1);
            expect(has(bytes, block, bucketsOfPart(whole.slice(start, start + 1 + (size % 20))))).toBe(true);
          }
        },
      ),
      { seed: SEED, numRuns: 200 },
    );
  });

  it("have each combination of the columns of an entry, and each token, in its block", () => {
    const values = fc.record(
      Object.fromEntries(COLUMNS.map((column) => [column, fc.option(fc.string({ minLength: 1, maxLength: 8 }))])),
    );
    const kept = fc.subarray([...COLUMNS], { minLength: 1 });
    fc.assert(
      fc.property(fc.nat({ max: 255 }), values, kept, fc.string(), (block, entry, columns, session) => {
        const bits = new SegmentBits();
        bits.beginBlock(block);
        bits.addColumns(entry);
        bits.addToken("session", session);
        const bytes = bits.finish();
        const some = Object.fromEntries(columns.map((column) => [column, entry[column]]));
        if (Object.values(some).some((value) => value !== null)) {
          expect(has(bytes, block, bucketsOfColumns(some))).toBe(true);
        }
        expect(has(bytes, block, bucketsOfToken("session", session))).toBe(true);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it("of one entry do not have what is not there, in its block or in another", () => {
    const bits = new SegmentBits();
    bits.beginBlock(9);
    bits.addText("the hippopotamus");
    bits.addColumns({ type: "NOTE", platform: "crm" });
    const bytes = bits.finish();
    expect(bytes.length).toBe(BITS_BYTES);
    expect(has(bytes, 9, bucketsOfPart("hippo"))).toBe(true);
    expect(has(bytes, 8, bucketsOfPart("hippo"))).toBe(false);
    expect(has(bytes, 9, bucketsOfPart("rhino"))).toBe(false);
    expect(has(bytes, 9, bucketsOfColumns({ type: "NOTE", platform: "mail" }))).toBe(false);
    expect(bucketsOfPart("")).toEqual([]);
  });
});
