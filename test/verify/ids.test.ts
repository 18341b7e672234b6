import { describe, expect, it } from "vitest";
import { createIdCollector, createIdHash, createIdSet } from "../../src/verify/ids.ts";
import { check, created, note, store, uuid } from "./ledger.ts";

function idsOf(entries: Iterable<readonly [id: string, seq: bigint]>) {
  const collector = createIdCollector();
  for (const [id, seq] of entries) collector.add(id, seq);
  return collector.ids();
}

describe("ids of entries", () => {
  it("are found again in whatever pieces they are, in whatever order those come", () => {
    const stored = store([created, note("a", { id: uuid(90) }), note("b"), note("c"), note("d", { id: uuid(90) })]);
    const repeated = { verdict: "RULE_BROKEN", seq: 5n, detail: `an earlier entry has the id ${uuid(90)}` };
    for (const cuts of [[], [2n], [1n, 2n, 3n, 4n]]) expect(check(stored, { cuts }).problems).toEqual([repeated]);
    for (const order of [
      [2n, 9n, 30n],
      [30n, 2n, 9n],
    ]) {
      const set = createIdSet(10);
      for (const seq of order) set.add(idsOf([[uuid(1), seq]]));
      expect(set.repeated.map(({ seq }) => seq).sort()).toEqual([30n, 9n]);
    }
  });

  it("are each kept apart, also when there are many, and named up to a limit", () => {
    const set = createIdSet(3);
    const many = Array.from({ length: 150_000 }, (_, n): [string, bigint] => [uuid(n), BigInt(n + 1)]);
    set.add(idsOf(many.slice(0, 70_000)));
    set.add(idsOf(many.slice(70_000)));
    expect(set.repeated).toEqual([]);
    set.add(idsOf(many.slice(100).map(([id, seq]) => [id, seq + 1_000_000n])));
    expect(set.repeated).toEqual([101n, 102n, 103n].map((seq, n) => ({ seq: seq + 1_000_000n, id: uuid(100 + n) })));
  });

  it("come to lie apart whichever bits they differ in", () => {
    const count = 4_096;
    for (let word = 0; word < 4; word += 1) {
      for (const shift of [0, 8, 16, 20]) {
        const hash = createIdHash();
        const places = new Set<number>();
        for (let n = 0; n < count; n += 1) {
          const words = new Uint32Array([1, 2, 3, 4]);
          words[word] = n << shift;
          places.add(hash(words, 0) & 0xffff);
        }
        expect(places.size).toBeGreaterThan(count * 0.8);
      }
    }
  });

  it("that are no UUIDs are passed over", () => {
    const ids = idsOf([
      ["", 1n],
      ["x".repeat(36), 2n],
      [uuid(1).toUpperCase().replace("0", "G"), 3n],
    ]);
    expect(ids.positions).toHaveLength(0);
  });
});
