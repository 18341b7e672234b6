import { describe, expect, it } from "vitest";
import { createPace } from "../../../src/ledger/watch/pace.ts";

describe("createPace", () => {
  it("rests in proportion to work, after a first burst", async () => {
    let now = 0;
    const rests: number[] = [];
    const rest = async (milliseconds: number) => {
      rests.push(milliseconds);
      now += milliseconds;
    };
    const pace = createPace(0.05, new AbortController().signal, { now: () => now, rest });
    for (let times = 0; times < 200; times++) {
      await pace.take(async () => {
        now += 100;
      });
    }
    expect(pace.spent()).toBe(20_000);
    // A burst of two seconds, and the rest at a twentieth of the time.
    expect(pace.spent() / now).toBeLessThan(0.056);
    expect(rests.length).toBeGreaterThan(150);
  });

  it("counts work that was done elsewhere, and rests for no more than half a minute of work", async () => {
    let now = 0;
    const rests: number[] = [];
    const pace = createPace(0.5, new AbortController().signal, {
      now: () => now,
      rest: async (milliseconds) => {
        rests.push(milliseconds);
        now += milliseconds;
      },
    });
    pace.charge(3_000);
    await pace.take(async () => {
      now += 3_600_000;
    });
    await pace.take(async () => undefined);
    expect(rests).toEqual([2_000, 60_000]);
    expect(pace.spent()).toBe(3_603_000);
  });

  it("does one piece of work at a time, also after one that failed, and none once it is stopped", async () => {
    const stopped = new AbortController();
    const pace = createPace(1, stopped.signal);
    const done: number[] = [];
    let under = 0;
    const work = (at: number) => async () => {
      under += 1;
      expect(under).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      under -= 1;
      if (at === 1) throw new Error("failed");
      done.push(at);
    };
    const all = await Promise.allSettled([0, 1, 2].map((at) => pace.take(work(at))));
    expect(all.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(done).toEqual([0, 2]);
    stopped.abort();
    await expect(pace.take(work(3))).rejects.toThrow();
  });
});
