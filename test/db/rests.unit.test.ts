import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { withRests } from "../../src/db/rests.ts";
import { createTurns } from "../../src/db/turns.ts";

const maxWaitMs = 60_000;
const turns = () => createTurns({ at: 10, perOrganization: 8, waitingPerPrincipal: 10, maxWaitMs });
const options = { share: 1 / 4, burstMs: 1_000, perPrincipal: 2, waitingPerPrincipal: 3, maxWaitMs };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Has a turn of `ms`. Returns the milliseconds until it began. */
async function turnOf(ms: number, taken: Promise<() => void>): Promise<number> {
  const asked = performance.now();
  let end: (() => void) | undefined;
  void taken.then((given) => {
    end = given;
  });
  while (end === undefined) await vi.advanceTimersByTimeAsync(10);
  const began = performance.now() - asked;
  await vi.advanceTimersByTimeAsync(ms);
  end();
  end();
  return began;
}

it("whoever has short turns now and then never waits", async () => {
  const rested = withRests(turns(), { ...options, perPrincipal: 1 });
  for (let at = 0; at < 30; at++) {
    expect(await turnOf(200, rested.take("a", "p"))).toBeLessThan(20);
    await vi.advanceTimersByTimeAsync(600);
  }
});

it("whoever goes on without a pause gets its share, and others none of the waiting", async () => {
  const rested = withRests(turns(), { ...options, perPrincipal: 1 });
  const started = performance.now();
  for (let at = 0; at < 40; at++) {
    await turnOf(500, rested.take("a", "p"));
    expect(await turnOf(0, rested.take("a", "other"))).toBeLessThan(20);
    expect(await turnOf(0, rested.take("b", "p"))).toBeLessThan(20);
  }
  // 20 s of turns, of which the first is for nothing.
  expect(performance.now() - started).toBeGreaterThan(70_000);
  expect(performance.now() - started).toBeLessThan(85_000);
});

it("after a rest, everything is as at first", async () => {
  const rested = withRests(turns(), { ...options, perPrincipal: 1 });
  await turnOf(5_000, rested.take("a", "p"));
  await vi.advanceTimersByTimeAsync(20_100);
  expect(vi.getTimerCount()).toBe(0);
  expect(await turnOf(900, rested.take("a", "p"))).toBeLessThan(20);
  expect(await turnOf(0, rested.take("a", "p"))).toBeLessThan(20);
});

it("turns of one principal at a time are counted together, and more than so many wait or are refused", async () => {
  const rested = withRests(turns(), options);
  const [first, second] = [await rested.take("a", "p"), await rested.take("a", "p")];
  const waiting = [1, 2, 3].map(() => rested.take("a", "p"));
  await expect(rested.take("a", "p")).rejects.toMatchObject({ code: "RATE_LIMITED" });
  await vi.advanceTimersByTimeAsync(1_000);
  first();
  second();
  expect(await turnOf(0, waiting[0]!)).toBeLessThan(20);
  // Two seconds in one: a second of turns has to be paid for.
  expect(await turnOf(0, waiting[1]!)).toBeGreaterThan(3_900);
  await turnOf(0, waiting[2]!);
});

it("a turn that is not given takes no place", async () => {
  const full = createTurns({ at: 1, perOrganization: 1, waitingPerPrincipal: 0, maxWaitMs });
  const end = await full.take("b", "q");
  const rested = withRests(full, { ...options, perPrincipal: 1 });
  await expect(rested.take("a", "p")).rejects.toMatchObject({ code: "RATE_LIMITED" });
  await expect(rested.take("a", "p")).rejects.toMatchObject({ code: "RATE_LIMITED" });
  end();
  expect(await turnOf(0, rested.take("a", "p"))).toBeLessThan(20);
});

it("whoever has to rest for longer than anybody waits is told so at once, with the time", async () => {
  const rested = withRests(turns(), { ...options, perPrincipal: 1, maxWaitMs: 30_000 });
  await turnOf(20_000, rested.take("a", "p"));
  await expect(rested.take("a", "p")).rejects.toMatchObject({ code: "RATE_LIMITED", retryAfterSeconds: 77 });
  await vi.advanceTimersByTimeAsync(50_000);
  expect(await turnOf(0, rested.take("a", "p"))).toBeGreaterThan(20_000);
});
