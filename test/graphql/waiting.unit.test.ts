import { expect, it } from "vitest";
import { createWaiting } from "../../src/graphql/actions/waiting.ts";

it("takes a bounded number of those that are due, all in turn, though of some nothing comes", () => {
  const waiting = createWaiting(100);
  for (let n = 0; n < 25; n += 1) waiting.note(`${n}`, n < 20 ? n : 1_000);
  const passes = Array.from({ length: 3 }, () => waiting.take(500, 8));
  expect(passes.map(({ length }) => length)).toEqual([8, 8, 8]);
  expect(new Set(passes.flat()).size).toBe(20);
  // Nothing came of any of them: they have their turn again.
  expect(passes[2]?.slice(4)).toEqual(["0", "1", "2", "3"]);
  for (const id of passes.flat()) waiting.forget(id);
  expect(waiting.take(500, 8)).toEqual([]);
  expect(waiting.take(1_000, 8)).toEqual(["20", "21", "22", "23", "24"]);
});

it("forgets what was noted first where there is too much", () => {
  const waiting = createWaiting(2);
  for (const id of ["a", "b", "c"]) waiting.note(id, 0);
  expect(waiting.take(0, 9)).toEqual(["b", "c"]);
});
