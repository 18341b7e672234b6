import { describe, expect, it } from "vitest";
import type { GuardProblem, GuardReport } from "../../../src/ledger/guards.ts";
import { createGuardWatch } from "../../../src/ledger/watch/guard-watch.ts";

/** A watch over guards of which each report is the next of `reports`. */
function watching(...reports: readonly (number | Error)[]) {
  const left = [...reports];
  const errors: string[] = [];
  const report = async (): Promise<GuardReport> => {
    const next = left.shift();
    if (typeof next !== "number") throw next ?? new Error("no more reports");
    const problems = Array.from(
      { length: next },
      (_, n): GuardProblem => ({ object: `table ${n}`, problem: "missing" }),
    );
    return { intact: next === 0, eventTriggers: true, problems };
  };
  const guards = createGuardWatch({ report, intervalMs: 60_000, onError: ({ message }) => void errors.push(message) });
  return { guards, errors };
}
const secondsUntil = (at: number) => (at - performance.now()) / 1_000;

describe("createGuardWatch", () => {
  it("says that guards could not be verified, keeps what was found before, and tries again soon, then ever more rarely", async () => {
    const { guards, errors } = watching(1, new Error("canceled"), new Error("again"), 0);
    expect(await guards.check()).toBe(true);
    expect(guards.failure).toBeUndefined();
    expect(secondsUntil(guards.dueAt)).toBeGreaterThan(30);
    const before = guards.finding;
    expect(before).toMatchObject({ number: 1, problems: [{ verdict: "UNGUARDED", detail: "table 0: missing" }] });

    expect(await guards.check()).toBe(false);
    expect(errors).toEqual(["canceled"]);
    expect(guards.finding).toBe(before);
    expect(guards.failure).toMatchObject({ verdict: "UNVERIFIABLE", detail: expect.stringContaining("canceled") });
    expect(secondsUntil(guards.dueAt)).toBeLessThanOrEqual(5);
    expect(await guards.check()).toBe(false);
    expect(secondsUntil(guards.dueAt)).toBeGreaterThan(5);

    expect(await guards.check()).toBe(true);
    expect(guards.failure).toBeUndefined();
    expect(guards.finding).toMatchObject({ number: 2, problems: [] });
  });

  it("does not take a report that failed for one that found nothing", async () => {
    const { guards } = watching(new Error("too slow"), 0);
    await expect(guards.first()).rejects.toThrow("too slow");
    expect(guards.finding.number).toBe(0);
    expect(guards.failure?.detail).toContain("never were by this server");
    await Promise.all([guards.first(), guards.first()]);
    expect(guards.finding.number).toBe(1);
    // No further report is needed.
    await guards.first();
  });

  it("names as many problems as are kept, and says how many more there are", async () => {
    const { guards } = watching(350, 351);
    await guards.check();
    expect(guards.finding.problems).toHaveLength(100);
    expect(guards.finding.problems.at(-1)?.detail).toContain("251 more");
    await guards.check();
    expect(guards.finding.number).toBe(2);
  });
});
