import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createProblemStore } from "../../../src/ledger/watch/problem-store.ts";
import type { WatchProblem } from "../../../src/ledger/watch/problems.ts";

const LEDGER = "acme/eu";
const PROBLEMS: readonly WatchProblem[] = [
  { verdict: "CONTENT_MISMATCH", seq: 5n, detail: "column tool" },
  { verdict: "UNGUARDED", seq: undefined, detail: "a trigger is missing" },
  {
    verdict: "ROLLED_BACK",
    seq: 9_007_199_254_740_993n,
    detail: "cut",
    heads: [{ seq: 9_007_199_254_740_994n, hash: "a".repeat(64), seenAt: new Date(1_000) }],
  },
];

let directory: string;
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), "countersign-problems-")), "problems");
});
afterEach(() => rm(join(directory, ".."), { recursive: true }));

it("keeps problems as they are, each ledger's by itself, for whoever opens the directory next", async () => {
  const store = createProblemStore(directory);
  expect(await store.read(LEDGER)).toEqual([]);
  await store.change(LEDGER, () => PROBLEMS);
  await store.change("globex/eu", () => PROBLEMS.slice(0, 1));
  const next = createProblemStore(directory);
  expect(await next.read(LEDGER)).toEqual(PROBLEMS);
  expect(await next.read("globex/eu")).toEqual(PROBLEMS.slice(0, 1));
  await next.change(LEDGER, (kept) => kept.slice(1));
  expect(await store.read(LEDGER)).toEqual(PROBLEMS.slice(1));
});

it("loses no change of several processes", async () => {
  const one: WatchProblem = { verdict: "FORKED", seq: 1n, detail: "two" };
  const add = (at: number) =>
    createProblemStore(directory).change(LEDGER, (kept) => [...kept, { ...one, seq: BigInt(at) }]);
  await Promise.all(Array.from({ length: 16 }, (_, at) => add(at)));
  const seqs = (await createProblemStore(directory).read(LEDGER)).map(({ seq }) => Number(seq));
  expect(seqs.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, at) => at));
  expect((await readdir(directory)).sort()).toEqual([".lock", "acme__eu.json"]);
});

it.each(["", "{}", '{"problems":[{"verdict":"FINE","detail":""}]}', '{"problems":[{"verdict":"FORKED","seq":1}]}'])(
  "refuses a damaged file, and does not write over it: %s",
  async (text) => {
    const store = createProblemStore(directory);
    await store.change(LEDGER, () => PROBLEMS);
    const file = join(directory, "acme__eu.json");
    await writeFile(file, text);
    await expect(store.read(LEDGER)).rejects.toMatchObject({ code: "PROBLEMS_UNREADABLE" });
    await expect(store.change(LEDGER, () => [])).rejects.toMatchObject({ code: "PROBLEMS_UNREADABLE" });
    expect(await readFile(file, "utf8")).toBe(text);
  },
);
