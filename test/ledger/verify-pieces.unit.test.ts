import { describe, expect, it } from "vitest";
import { MAX_POSITION_STATES, PIECE_STATES, RANGE_SIZE } from "../../src/ledger/verify/limits.ts";
import { cut } from "../../src/ledger/verify/pieces.ts";
import type { StateColumns, StateCursor } from "../../src/ledger/verify/states.ts";
import type { Range } from "../../src/verify/sequence.ts";

const columns = (seq: bigint): StateColumns => [
  "KIND",
  "id",
  "1",
  "{}",
  null,
  null,
  null,
  null,
  "",
  "1",
  String(seq),
  "{}",
  "",
];

/** A cursor over rows that were last moved at `positions`, which ascend. */
function cursorOver(positions: readonly bigint[]): StateCursor {
  let at = 0;
  return {
    fetch() {
      const rows = positions.slice(at, at + 2_000).map(columns);
      at += rows.length;
      return Promise.resolve(rows);
    },
    rewind() {
      at = 0;
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}

async function pieces(range: Range, positions: readonly bigint[]) {
  let beyond = 0;
  const found: { from: bigint; to: bigint; states: readonly bigint[] }[] = [];
  const count = (rows: readonly StateColumns[]) => {
    beyond += rows.length;
  };
  for await (const { piece, states } of cut(range, cursorOver(positions), count)) {
    found.push({ ...piece, states: states.map((row) => BigInt(row[10] ?? "")) });
  }
  return { found, beyond };
}

const repeat = (seq: bigint, times: number) => Array.from({ length: times }, () => seq);

describe("cut", () => {
  it("parts a range evenly, each piece with the rows that were last moved in it", async () => {
    const positions = [-3n, 0n, 1n, 9_999n, 10_000n, 10_001n, 25_000n, 25_001n, 99_999n];
    const { found, beyond } = await pieces({ from: 1n, to: 25_000n }, positions);
    expect(found).toEqual([
      { from: 1n, to: RANGE_SIZE, states: [-3n, 0n, 1n, 9_999n, 10_000n] },
      { from: 10_001n, to: 20_000n, states: [10_001n] },
      { from: 20_001n, to: 25_000n, states: [25_000n] },
    ]);
    expect(beyond).toBe(2);
  });

  it("has no piece for an empty range, and reads its rows all the same", async () => {
    expect(await pieces({ from: 1n, to: 0n }, repeat(7n, 4_500))).toEqual({ found: [], beyond: 4_500 });
  });

  it("ends a piece early that would have too many rows, between two positions", async () => {
    const positions = [...repeat(5n, PIECE_STATES - 1), ...repeat(6n, 3), ...repeat(7n, 2)];
    const { found } = await pieces({ from: 1n, to: 100n }, positions);
    expect(found.map(({ from, to, states }) => [from, to, states.length])).toEqual([
      [1n, 6n, PIECE_STATES + 2],
      [7n, 100n, 2],
    ]);
  });

  it("reads all rows of one position, and looks at as many as an entry can have", async () => {
    const positions = [...repeat(0n, MAX_POSITION_STATES + 5_000), 3n];
    const { found, beyond } = await pieces({ from: 1n, to: 100n }, positions);
    expect(found.map(({ from, to, states }) => [from, to, states.length])).toEqual([
      [1n, 2n, MAX_POSITION_STATES],
      [3n, 100n, 1],
    ]);
    expect(beyond).toBe(0);
  });
});
