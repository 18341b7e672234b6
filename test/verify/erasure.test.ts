import { describe, expect, it } from "vitest";
import { createErasures } from "../../src/facts/check/erasures.ts";
import { defineFact } from "../../src/facts/definition.ts";
import { list, object, text } from "../../src/facts/schema.ts";
import { createVocabulary } from "../../src/facts/vocabulary.ts";
import { missingProblems } from "../../src/verify/erasure.ts";
import { check, created, note, store } from "./ledger.ts";

/** A type that orders erasures, as an area defines it. */
const values = list(object({ path: text("where"), seq: text("of which entry") }, "a value"), "what is erased");
const order = defineFact("VALUES_ERASED", {
  description: "values are erased",
  members: { order: object({ values }, "the order") },
  erases: "order.values",
  permits: true,
});
const erasuresOf = createErasures(createVocabulary([{ states: [], facts: [order] }]));

/** Three entries without their payloads, and one that orders the erasure of some of their values. */
function verify(ordered: readonly { seq: string; path: string }[], cuts: readonly bigint[]) {
  const erased = { actor: { id: "admin" }, type: "VALUES_ERASED", order: { values: ordered } };
  const { entries, states } = store([created, note("a"), note("b"), note("c"), erased]);
  const stripped = entries.map((entry) => ({ ...entry, payload: null, payloadTime: null }));
  const { reports, problems } = check({ entries: stripped, states }, { cuts, rules: { erasuresOf } });
  const missing = reports.flatMap((report) => report.missing);
  return [
    ...problems,
    ...missingProblems(
      missing,
      reports.flatMap((report) => report.erased),
    ),
  ].map(({ verdict, seq }) => `${seq} ${verdict}`);
}

describe("values that are not stored", () => {
  it("are a problem unless an entry orders their erasure, in whatever piece that is", () => {
    const all = ["2", "3", "4"].map((seq) => ({ seq, path: "text" }));
    for (const cuts of [[], [2n], [1n, 2n, 3n, 4n]]) {
      expect(verify(all, cuts)).toEqual([]);
      expect(verify(all.slice(1), cuts)).toEqual(["2 PAYLOAD_MISSING"]);
      expect(verify([{ seq: "2", path: "other" }], cuts)).toEqual([2, 3, 4].map((seq) => `${seq} PAYLOAD_MISSING`));
    }
  });

  it("are all a problem where no type orders erasures", () => {
    expect(createErasures(createVocabulary([]))).toBeUndefined();
    const { entries, states } = store([created, note("a")]);
    const stripped = entries.map((entry) => ({ ...entry, payload: null, payloadTime: null }));
    expect(check({ entries: stripped, states }).problems).toMatchObject([{ verdict: "PAYLOAD_MISSING", seq: 2n }]);
  });
});
