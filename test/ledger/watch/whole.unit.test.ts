import { describe, expect, it } from "vitest";
import type { LedgerId } from "../../../src/facts/entry.ts";
import { backoff, rest } from "../../../src/ledger/watch/rest.ts";
import { wholeRound } from "../../../src/ledger/watch/whole.ts";

const LEDGERS: readonly LedgerId[] = ["a/eu", "b/eu", "c/eu"];

/** A round in which verifying fails with `failing` of each ledger, one after the other. Returns what was verified and reported. */
async function round(failing: Readonly<Record<string, readonly Error[]>>, interval = 100) {
  const verified: string[] = [];
  const errors: (string | undefined)[] = [];
  const left = new Map(Object.entries(failing).map(([ledger, all]) => [ledger, [...all]]));
  await wholeRound({
    ledgers: () => LEDGERS,
    verify: async (ledger) => {
      const error = left.get(ledger)?.shift();
      if (error !== undefined) throw error;
      verified.push(ledger);
    },
    intervalMs: interval,
    retryMs: 1,
    signal: new AbortController().signal,
    onError: (_, ledger) => void errors.push(ledger),
  });
  return { verified, errors };
}

describe("wholeRound", () => {
  it("verifies all ledgers when some fail, and those again", async () => {
    const failing = { "a/eu": [new Error("out of memory"), new Error("again")] };
    expect(await round(failing)).toEqual({ verified: ["b/eu", "c/eu", "a/eu"], errors: ["a/eu", "a/eu"] });
  });

  it("waits when the database is away, and then verifies what is left", async () => {
    const away = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    expect(await round({ "b/eu": [away] })).toEqual({ verified: ["a/eu", "b/eu", "c/eu"], errors: [undefined] });
  });

  it("ends when the next round is due, whatever still fails", async () => {
    const { verified, errors } = await round({ "c/eu": Array(1_000).fill(new Error("for ever")) }, 20);
    expect(verified).toEqual(["a/eu", "b/eu"]);
    expect(errors.length).toBeLessThan(10);
  });
});

describe("rest", () => {
  it("rests for longer than a timer of Node can, until it is aborted", async () => {
    const stopped = new AbortController();
    let rested = false;
    const resting = rest(366 * 86_400_000, stopped.signal).then(() => {
      rested = true;
    });
    await rest(20, new AbortController().signal);
    expect(rested).toBe(false);
    stopped.abort();
    await expect(resting).rejects.toThrow();
  });
});

describe("backoff", () => {
  it("doubles up to the longest, for any number of failures", () => {
    expect([1, 2, 3, 4, 5, 10_000].map((failures) => backoff(failures, 5, 60))).toEqual([5, 10, 20, 40, 60, 60]);
    expect(backoff(3, 5, 1)).toBe(5);
  });
});
