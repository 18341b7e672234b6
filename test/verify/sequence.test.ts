import { describe, expect, it } from "vitest";
import { GENESIS_HASH } from "../../src/facts/entry.ts";
import type { StoredEntry } from "../../src/verify/rows.ts";
import { createSequence, type Range } from "../../src/verify/sequence.ts";

const hashOf = (seq: number) => String(seq).padStart(64, "a");
const row = (seq: number, more: Partial<StoredEntry> = {}): StoredEntry => ({
  seq: BigInt(seq),
  entry: new Uint8Array(),
  hash: hashOf(seq),
  prevHash: seq === 1 ? GENESIS_HASH : hashOf(seq - 1),
  columns: [`2026-11-22T10:00:0${Math.max(seq, 0) % 10}.000000Z`],
  payload: null,
  payloadTime: null,
  ...more,
});

function found(rows: readonly StoredEntry[], range: Range): { readonly problems: string[]; readonly hasGaps: boolean } {
  const problems: string[] = [];
  const sequence = createSequence(range, (seq, verdict, detail) => problems.push(`${seq} ${verdict} ${detail}`));
  for (const next of rows) sequence.next(next);
  sequence.end();
  return { problems, hasGaps: sequence.hasGaps };
}

const WHOLE = { from: 1n, to: 4n };
const PART = { from: 3n, to: 4n };

describe("createSequence", () => {
  it("finds nothing wrong with rows that follow one another", () => {
    expect(
      found(
        [1, 2, 3, 4].map((seq) => row(seq)),
        WHOLE,
      ),
    ).toEqual({ problems: [], hasGaps: false });
    expect(
      found(
        [2, 3, 4].map((seq) => row(seq)),
        PART,
      ),
    ).toEqual({ problems: [], hasGaps: false });
    expect(found([], { from: 1n, to: 0n })).toEqual({ problems: [], hasGaps: false });
  });

  it.each<readonly [string, readonly number[], Range, readonly string[]]>([
    ["the first", [2, 3, 4], WHOLE, ["1 SEQUENCE_GAP there is no entry at this position"]],
    ["one inside", [1, 2, 4], WHOLE, ["3 SEQUENCE_GAP there is no entry at this position"]],
    ["some inside", [1, 4], WHOLE, ["2 SEQUENCE_GAP there are no entries at positions 2 to 3"]],
    ["the last", [1, 2], WHOLE, ["3 SEQUENCE_GAP there are no entries at positions 3 to 4"]],
    ["all", [], WHOLE, ["1 SEQUENCE_GAP there are no entries at positions 1 to 4"]],
    ["the first of a part", [2, 4], PART, ["3 SEQUENCE_GAP there is no entry at this position"]],
    ["all of a part", [2], PART, ["3 SEQUENCE_GAP there are no entries at positions 3 to 4"]],
    ["nothing of the part", [3, 4], PART, []],
  ])("names where entries are missing: %s", (_, seqs, range, problems) => {
    expect(
      found(
        seqs.map((seq) => row(seq)),
        range,
      ),
    ).toEqual({ problems, hasGaps: problems.length > 0 });
  });

  it("names positions with several rows, and follows each of them", () => {
    const other = row(2, { hash: hashOf(9) });
    expect(found([row(1), row(2), other, row(3, { prevHash: hashOf(9) }), row(4)], WHOLE).problems).toEqual([
      "2 FORKED 2 rows have this position",
    ]);
    expect(found([row(2), other, other, row(3), row(4)], PART).problems).toEqual([]);
    expect(found([row(2), row(3), row(4), row(4), row(4)], PART).problems).toEqual([
      "4 FORKED 3 rows have this position",
    ]);
  });

  it("names links that lead elsewhere", () => {
    const wrong = (seq: number) => row(seq, { prevHash: hashOf(7) });
    expect(found([row(1), row(2), wrong(3), row(4)], WHOLE).problems).toEqual([
      expect.stringMatching(
        /^3 LINK_BROKEN it names a+7 as its predecessor, which is not the hash of the entry before/,
      ),
    ]);
    expect(found([row(2), wrong(3), row(4)], PART).problems).toEqual([expect.stringMatching(/^3 LINK_BROKEN/)]);
    expect(found([wrong(1), row(2), row(3), row(4)], WHOLE).problems).toEqual([
      "1 LINK_BROKEN the first entry of a ledger has 64 zeros as its predecessor",
    ]);
  });

  it("names entries that are dated before the one they follow", () => {
    const early = row(3, { columns: ["2026-11-22T09:00:00.000000Z"] });
    expect(found([row(1), row(2), early, row(4)], WHOLE).problems).toEqual([
      "3 CONTENT_MISMATCH it is dated before the entry it follows",
    ]);
  });

  it("reports rows before the first position", () => {
    expect(found([row(-7), row(0), row(1), row(2), row(3), row(4)], WHOLE).problems).toEqual([
      "-7 LINK_BROKEN there can be no entry before position 1",
      "0 LINK_BROKEN there can be no entry before position 1",
    ]);
  });
});
