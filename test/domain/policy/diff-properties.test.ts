import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePolicy, type Verdict } from "../../../src/domain/policy/compile.ts";
import { describeChanges } from "../../../src/domain/policy/diff.ts";
import { readPolicy } from "../../../src/domain/policy/document/read.ts";
import { canonicalize, type JsonValue } from "../../../src/facts/canonical.ts";
import { situation } from "./situations.ts";

const OUTCOMES = [
  { permit: true },
  { forbid: true },
  { require: [{ group: "approvers", needed: 1 }] },
  { require: [{ group: "finance", needed: 2 }] },
  {
    require: [
      { group: "finance", needed: 1 },
      { group: "approvers", needed: 2 },
    ],
  },
  {
    require: [
      { group: "approvers", needed: 3 },
      { group: "finance", needed: 1 },
    ],
  },
] as const;
const CONDITIONS = [undefined, "args.amount > 200", "args.nothing == 1", 'tool.effect == "WRITE"', 'region == "eu"'];

const rules = fc.uniqueArray(
  fc.record({
    id: fc.constantFrom("a", "b", "c"),
    when: fc.constantFrom(...CONDITIONS),
    outcome: fc.constantFrom(...OUTCOMES),
    reason: fc.constantFrom("r", "s"),
  }),
  { selector: ({ id }) => id, maxLength: 3 },
);
const tools = fc.uniqueArray(
  fc.record({
    platform: fc.constantFrom("crm", "shop"),
    name: fc.constantFrom("get", "send"),
    effect: fc.constantFrom("READ", "WRITE"),
    data: fc.subarray(["personal", "money"]),
    required: fc.subarray(["amount", "to"]),
  }),
  { selector: ({ platform, name }) => `${platform} ${name}`, maxLength: 4 },
);
const parts = fc.record({ rules, tools, region: fc.constantFrom("eu", "us") });
type Parts = typeof parts extends fc.Arbitrary<infer Value> ? Value : never;

function textOf({ rules: all, tools: listed, region }: Parts): string {
  const stated = all.map(({ id, when, outcome, reason }) => ({ id, when, ...outcome, reason }));
  const platforms = { crm: { region: "eu" }, shop: { region } };
  return JSON.stringify({ policy: 1, catalog: { platforms, tools: listed }, rules: stated });
}

const texts = parts.map(textOf);

/** A document, and one in which a single thing is changed, added or removed. */
const edits = fc
  .record({
    before: parts,
    other: parts,
    at: fc.nat(3),
    edit: fc.constantFrom("outcome", "when", "rule", "tool", "effect", "required", "remove"),
  })
  .map(({ before, other, at, edit }) => {
    const [rule, tool] = [other.rules[0], other.tools[0]];
    const on = <Value extends object>(all: readonly Value[], change: object | undefined) =>
      all.map((one, index) => (index === at ? { ...one, ...change } : one));
    const without = <Value>(all: readonly Value[]) => all.filter((_, index) => index !== at);
    const edited: Readonly<Record<string, Partial<Parts>>> = {
      outcome: { rules: on(before.rules, rule && { outcome: rule.outcome }) },
      when: { rules: on(before.rules, rule && { when: rule.when }) },
      rule: { rules: [...before.rules, ...(rule === undefined ? [] : [{ ...rule, id: "d" as "a" }])] },
      tool: { tools: without(before.tools) },
      effect: { tools: on(before.tools, tool && { effect: tool.effect }) },
      required: { tools: on(before.tools, tool && { required: tool.required }) },
      remove: { rules: without(before.rules) },
    };
    return [textOf(before), textOf({ ...before, ...edited[edit] })] as const;
  });

/** The same for documents that say the same: lists in one order. */
function withoutOrder(value: JsonValue): JsonValue {
  if (Array.isArray(value)) {
    const members = value.map(withoutOrder);
    return members.sort((one, other) => (canonicalize(one) < canonicalize(other) ? -1 : 1));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withoutOrder(member as JsonValue)]));
}
const said = (text: string) => canonicalize(withoutOrder(readPolicy(text).document as JsonValue));

const SITUATIONS = ["crm", "shop"].flatMap((platform) =>
  ["get", "send"].flatMap((tool) =>
    [{}, { amount: 100, to: "x" }, { amount: 300, to: "x" }].map((given) =>
      situation({ platform, tool, arguments: given }),
    ),
  ),
);

const STRICTNESS = { PERMIT: 0, REQUIRE: 1, FORBID: 2 } as const;
const askedBy = ({ requirements }: Verdict) => new Map(requirements.map(({ group, needed }) => [group, needed]));

describe("what is said of two policy documents", () => {
  it("is something exactly when they differ in more than order", () => {
    fc.assert(
      fc.property(texts, texts, (before, after) => {
        const changes = describeChanges(readPolicy(before).document, readPolicy(after).document);
        expect(changes.length === 0).toBe(said(before) === said(after));
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  it("says of whatever is easier that it loosens, or may", () => {
    let compared = 0;
    fc.assert(
      fc.property(edits, ([before, after]) => {
        const [old, now] = [readPolicy(before), readPolicy(after)] as const;
        if (
          before === after ||
          describeChanges(old.document, now.document).some((line) => /^(may )?loosens?:/.test(line))
        )
          return;
        compared += 1;
        const policies = [compilePolicy(old), compilePolicy(now)] as const;
        for (const given of SITUATIONS) {
          const [was, is] = [policies[0].judge(given), policies[1].judge(given)];
          expect(STRICTNESS[is.outcome]).toBeGreaterThanOrEqual(STRICTNESS[was.outcome]);
          if (is.outcome !== "REQUIRE") continue;
          for (const [group, needed] of askedBy(was)) expect(askedBy(is).get(group)).toBeGreaterThanOrEqual(needed);
        }
      }),
      { seed: 7, numRuns: 1_500 },
    );
    expect(compared).toBeGreaterThan(100);
  });
});
