import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Verdict } from "../../../src/domain/policy/compile.ts";
import { policyOf, situation } from "./situations.ts";

const CONDITIONS = [
  "true",
  "false",
  "args.amount > 200",
  "args.nothing == 1",
  "number(args.to) > 1.0",
  'tool.effect == "WRITE"',
  'tool.effect == "UNKNOWN"',
  'region == "eu"',
  "args.items.exists(i, i.price > args.amount)",
  "args.amount",
] as const;
const OUTCOMES = [
  "permit: true",
  "forbid: true",
  "require: [{ group: approvers, needed: 1 }]",
  "require: [{ group: approvers, needed: 3 }, { group: legal, needed: 1 }]",
  "require: [{ group: finance, needed: 2 }]",
] as const;

const rules = fc.array(
  fc.record({ condition: fc.constantFrom(...CONDITIONS), outcome: fc.constantFrom(...OUTCOMES) }),
  { maxLength: 6 },
);
type Rules = readonly { readonly condition: string; readonly outcome: string }[];

const situations = fc
  .record({
    amount: fc.constantFrom(0, 201, 900, "201", null),
    place: fc.constantFrom(["vouchers", "send"], ["crm", "get_user"], ["crm", "nothing"]),
  })
  .map(({ amount, place: [platform = "", tool = ""] }) =>
    situation({ platform, tool, arguments: { amount, to: "5", items: [{ price: 300 }] } }),
  );

const named = (all: Rules) => all.map((one, at) => ({ ...one, id: `r${at}` }));
const compiled = (all: readonly { id: string; condition: string; outcome: string }[]) =>
  policyOf(
    all
      .map(
        ({ id, condition, outcome }) => `  - { id: ${id}, when: ${JSON.stringify(condition)}, ${outcome}, reason: r }`,
      )
      .join("\n"),
  );

const STRICTNESS = { PERMIT: 0, REQUIRE: 1, FORBID: 2 } as const;
const asked = ({ requirements }: Verdict) => new Map(requirements.map(({ group, needed }) => [group, needed]));
const SEED = { seed: 11, numRuns: 150 };

describe("a policy", () => {
  it("never gets easier by a rule that forbids or requires", () => {
    fc.assert(
      fc.property(
        rules,
        fc.constantFrom(...CONDITIONS),
        fc.constantFrom(...OUTCOMES.slice(1)),
        situations,
        (all, condition, outcome, given) => {
          const before = compiled(named(all)).judge(given);
          const after = compiled(named([...all, { condition, outcome }])).judge(given);
          expect(STRICTNESS[after.outcome]).toBeGreaterThanOrEqual(STRICTNESS[before.outcome]);
          // Who is asked only because no rule matched is not asked when one does.
          if (after.outcome !== "REQUIRE" || before.matched.some(({ ruleId }) => ruleId === "not-covered")) return;
          for (const [group, needed] of asked(before)) expect(asked(after).get(group)).toBeGreaterThanOrEqual(needed);
        },
      ),
      SEED,
    );
  });

  it("does not depend on the order of its rules", () => {
    fc.assert(
      fc.property(rules, situations, fc.nat(), (all, given, turn) => {
        const some = named(all);
        const at = some.length === 0 ? 0 : turn % some.length;
        const one = compiled(some).judge(given);
        const other = compiled([...some.slice(at), ...some.slice(0, at)].reverse()).judge(given);
        expect(other.outcome).toBe(one.outcome);
        expect(asked(other)).toEqual(asked(one));
        const ids = ({ matched }: Verdict) => matched.map(({ ruleId }) => ruleId).sort();
        expect(ids(other)).toEqual(ids(one));
      }),
      SEED,
    );
  });

  it("never permits by a rule that cannot be evaluated, nor what the catalog does not list", () => {
    fc.assert(
      fc.property(rules, situations, (all, given) => {
        const { outcome, explanation, tool } = compiled(named(all)).judge(given);
        if (tool.effect === "UNKNOWN") expect(outcome).toBe("FORBID");
        if (outcome !== "PERMIT") return;
        expect(explanation.some((rule) => rule.outcome === "PERMIT" && rule.matched && rule.error === undefined)).toBe(
          true,
        );
        // Whatever forbids or requires was evaluated, and did not match.
        expect(
          explanation.filter((rule) => rule.outcome !== "PERMIT" && (rule.matched || rule.error !== undefined)),
        ).toEqual([]);
      }),
      SEED,
    );
  });
});
