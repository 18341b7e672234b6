import { describe, expect, it } from "vitest";
import type { KnownHead } from "../../../src/ledger/heads.ts";
import {
  type Acknowledgement,
  bounded,
  nameProblem,
  unacknowledged,
  type WatchProblem,
} from "../../../src/ledger/watch/problems.ts";
import { Watched } from "../../../src/ledger/watch/watched.ts";

const acknowledging = (problems: readonly WatchProblem[], at = 1_000): Acknowledgement => ({
  id: `${at}`,
  recordedAt: new Date(at),
  problems: problems.map(nameProblem),
});
const at = (verdict: WatchProblem["verdict"], seq: number | undefined, detail = "wrong"): WatchProblem => ({
  verdict,
  seq: seq === undefined ? undefined : BigInt(seq),
  detail,
});
const head = (seq: number, seenAt = 0, mark = "a"): KnownHead => ({
  seq: BigInt(seq),
  hash: mark.repeat(64),
  seenAt: new Date(seenAt),
});

describe("unacknowledged", () => {
  it("takes a verdict at a position for the same problem, whatever its detail", () => {
    const acknowledged = [acknowledging([at("CONTENT_MISMATCH", 5)])];
    expect(unacknowledged(at("CONTENT_MISMATCH", 5, "otherwise"), acknowledged)).toBeUndefined();
    for (const other of [at("CONTENT_MISMATCH", 6), at("LINK_BROKEN", 5), at("UNGUARDED", undefined, "5")]) {
      expect(unacknowledged(other, acknowledged)).toBe(other);
    }
  });

  it("takes what was missing at the end for the gap that it is later", () => {
    expect(unacknowledged(at("SEQUENCE_GAP", 5), [acknowledging([at("TRUNCATED", 5)])])).toBeUndefined();
  });

  it("tells problems without a position apart by their detail", () => {
    const acknowledged = [acknowledging([at("UNGUARDED", undefined, "a trigger: is missing")])];
    expect(unacknowledged(at("UNGUARDED", undefined, "a trigger: is missing"), acknowledged)).toBeUndefined();
    expect(unacknowledged(at("UNGUARDED", undefined, "another: is missing"), acknowledged)).toBeDefined();
  });

  it("settles the heads that were known then, among the positions, and none that were seen later", () => {
    const cut: WatchProblem = { ...at("ROLLED_BACK", 96), heads: [head(97), head(100)] };
    const acknowledged = [acknowledging([cut])];
    const rewritten: WatchProblem = { ...at("CHECKPOINT_INCONSISTENT", 97), heads: [head(97), head(99), head(100)] };
    expect(unacknowledged(rewritten, acknowledged)).toBeUndefined();
    const again: WatchProblem = { ...rewritten, heads: [head(95), head(97), head(98, 2_000, "b"), head(101)] };
    expect(unacknowledged(again, acknowledged)?.heads).toEqual([head(95), head(98, 2_000, "b"), head(101)]);
    // The same position without heads is something else.
    expect(unacknowledged(at("SEQUENCE_GAP", 96), acknowledged)).toBeDefined();
  });
});

describe("Watched", () => {
  const watch = () => new Watched("acme/eu", new Date(0));

  it("keeps each problem once, and all heads that are contradicted", () => {
    const watched = watch();
    expect(watched.add(at("LINK_BROKEN", 4))).toBeDefined();
    expect(watched.add(at("LINK_BROKEN", 4, "again"))).toBeUndefined();
    expect(watched.add({ ...at("ROLLED_BACK", 96), heads: [head(97)] })).toBeDefined();
    const more: WatchProblem = { ...at("ROLLED_BACK", 96), heads: [head(97), head(96)] };
    expect([watched.knows(at("LINK_BROKEN", 4)), watched.knows(more)]).toEqual([true, false]);
    expect(watched.add(more)).toBeUndefined();
    expect(watched.knows(more)).toBe(true);
    expect(watched.problems.map(({ heads = [] }) => heads.map(({ seq }) => seq))).toEqual([[], [96n, 97n]]);
  });

  it("is troubled until what was found is acknowledged, and not by a warning", () => {
    const watched = watch();
    watched.add({ ...at("UNVERIFIABLE", undefined), warning: true });
    expect(watched.isTroubled).toBe(false);
    watched.add(at("LINK_BROKEN", 4));
    expect(watched.isTroubled).toBe(true);
    watched.acknowledgements = [acknowledging(watched.problems)];
    expect(watched.settle()).toBe(true);
    expect(watched.problems).toEqual([]);
    expect(watched.settle()).toBe(false);
  });

  it("keeps problems of guards whatever else was found, and a bounded number of each", () => {
    const watched = watch();
    for (let seq = 1; seq <= 150; seq++)
      if (!watched.knows(at("LINK_BROKEN", seq))) watched.add(at("LINK_BROKEN", seq));
    expect(watched.problems).toHaveLength(100);
    const guard = at("UNGUARDED", undefined, "a trigger: is missing");
    expect(watched.knows(guard)).toBe(false);
    expect(watched.add(guard)).toBe(guard);
    for (let n = 0; n < 2_000; n++) {
      const other = at("UNGUARDED", undefined, `trigger ${n}: is missing`);
      if (!watched.knows(other)) watched.add(other);
    }
    expect(watched.problems).toHaveLength(1_100);
    expect(bounded(watched.problems)).toEqual(watched.problems);
    expect(bounded([...watched.problems, at("FORKED", 1)])).toEqual(watched.problems);
  });

  it("has verifications name more problems once many are acknowledged", () => {
    const watched = watch();
    expect(watched.limit).toBe(100);
    watched.acknowledgements = [acknowledging(Array.from({ length: 70 }, (_, n) => at("LINK_BROKEN", n)))];
    expect(watched.limit).toBe(170);
  });
});
