import { describe, expect, it } from "vitest";
import { airline } from "../../bench/lineage/airline.ts";
import { contacts } from "../../bench/lineage/contacts.ts";
import type { Kind } from "../../bench/lineage/flow.ts";
import { plant } from "../../bench/lineage/plant.ts";
import { createRandom } from "../../bench/lineage/random.ts";
import { overall, precision, recall, type Scores, score, together } from "../../bench/lineage/score.ts";
import { tickets } from "../../bench/lineage/tickets.ts";

/** The short form of `npm run bench:lineage`: fewer flows, of one seed, by which nothing was tuned. */
const SEED = 17;
const FLOWS = 25;

describe("links between writes of known origin and what was read before", () => {
  const all = Promise.all(
    [airline(), contacts, tickets].map(async (data) => score(plant(data, FLOWS, createRandom(SEED)), 12)),
  );
  const of = (scores: Scores, kind: Kind, method: "OBSERVED" | "POSSIBLE") => recall(scores.get(kind)![method]);

  it("are right where they are OBSERVED", async () => {
    const scores = together(await all);
    expect(precision(overall(scores, "OBSERVED"))).toBeGreaterThanOrEqual(0.97);
  });

  it.each([
    ["verbatim", 0.95],
    ["re-cased", 0.95],
    ["re-formatted", 0.95],
    ["few of many", 0.95],
    ["one in prose", 0.8],
  ] as const)("are OBSERVED where values went %s", async (kind, least) => {
    expect(of(together(await all), kind, "OBSERVED")).toBeGreaterThanOrEqual(least);
  });

  it("are POSSIBLE wherever something was drawn from, by far more often than OBSERVED ones wrong", async () => {
    for (const scores of await all) {
      for (const [kind, { POSSIBLE }] of scores) expect(POSSIBLE.missed, kind).toBe(0);
    }
    const scores = together(await all);
    const latest = overall(scores, "latest earlier read");
    expect(precision(overall(scores, "POSSIBLE"))).toBeLessThan(0.5);
    expect(precision(latest)).toBeLessThan(0.6);
    expect(of(scores, "paraphrase", "OBSERVED")).toBe(0);
  });
});
