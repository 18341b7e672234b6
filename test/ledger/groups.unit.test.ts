import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Grouped, halves, wholeGroups } from "../../src/ledger/appending/groups.ts";

/** Groups of these sizes, each draft with one code unit of text. */
function waitingOf(sizes: readonly number[]): Grouped[] {
  return sizes.flatMap((size) => {
    const group = {};
    return Array.from({ length: size }, (_, at) => ({ group, draft: { id: `${at}`, body: "x", payload: "" } }));
  });
}

const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 });
const partsGroup = (batch: readonly Grouped[], cut: number) =>
  cut > 0 && cut < batch.length && batch[cut - 1]?.group === batch[cut]?.group;

describe("wholeGroups", () => {
  it("takes as many whole groups as fit, and at least the first", () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 30 }), (all, most, mostSize) => {
        const waiting = waitingOf(all);
        const { count, size } = wholeGroups(waiting, most, mostSize);
        expect(size).toBe(count);
        expect(partsGroup(waiting, count)).toBe(false);
        const [first = 0] = all;
        const limit = Math.min(most, mostSize);
        expect(count === first || count <= limit).toBe(true);
        // The next group would not have fitted.
        const ends = all.map((_, at) => all.slice(0, at + 1).reduce((sum, each) => sum + each, 0));
        const next = ends.find((end) => end > count);
        if (next !== undefined) expect(next).toBeGreaterThan(limit);
      }),
      { seed: 20_261_126 },
    );
  });

  it("takes single drafts up to the limits", () => {
    const waiting = waitingOf([1, 1, 1, 1, 1]);
    expect(wholeGroups(waiting, 3, 100).count).toBe(3);
    expect(wholeGroups(waiting, 100, 2).count).toBe(2);
    expect(wholeGroups(waiting, 100, 100).count).toBe(5);
  });
});

describe("halves", () => {
  it("part between groups where there are several, and a single group in its middle", () => {
    fc.assert(
      fc.property(sizes, (all) => {
        const batch = waitingOf(all);
        fc.pre(batch.length > 1);
        const [left = [], right = []] = halves(batch);
        expect([...left, ...right]).toEqual(batch);
        expect(left.length).toBeGreaterThan(0);
        expect(right.length).toBeGreaterThan(0);
        expect(partsGroup(batch, left.length)).toBe(all.length === 1);
      }),
      { seed: 20_261_126 },
    );
  });

  it("of single drafts are equally large", () => {
    for (const count of [2, 3, 8, 9]) {
      expect(halves(waitingOf(Array<number>(count).fill(1))).map(({ length }) => length)).toEqual([
        count >> 1,
        count - (count >> 1),
      ]);
    }
  });
});
