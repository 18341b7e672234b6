import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePolicy, type Verdict } from "../../../src/domain/policy/compile.ts";
import { describeChanges } from "../../../src/domain/policy/diff.ts";
import { readPolicy } from "../../../src/domain/policy/document/read.ts";
import { type PolicyDocument, policySchema } from "../../../src/domain/policy/document/schema.ts";
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

/** A document that has every member there is. */
const WHOLE = policySchema.parse({
  policy: 1,
  catalog: {
    platforms: { crm: { region: "eu" }, shop: { region: "us" } },
    tools: [{ platform: "crm", name: "get", effect: "READ", data: ["personal", "money"], required: ["amount", "to"] }],
  },
  measures: [{ name: "sums", path: "a.b", tools: [{ platform: "crm", name: "get" }, { platform: "shop" }] }],
  rules: [
    { id: "p", when: "true", permit: true, reason: "r" },
    { id: "f", forbid: true, reason: "r" },
    {
      id: "q",
      require: [
        {
          group: "g",
          needed: 2,
          assurance: "MFA",
          note: true,
          approver: { roles: ["lead", "boss"], regions: ["eu", "us"] },
          ownerConfirms: true,
          ttl: "2h",
          escalate: { after: "30m", to: "chiefs" },
        },
        { group: "h", needed: 1 },
      ],
      reason: "r",
    },
  ],
  cases: [
    {
      name: "c",
      given: {
        platform: "crm",
        tool: "get",
        arguments: { amount: [1, 2] },
        principal: { id: "a", kind: "AGENT", roles: ["x", "y"], groups: ["z"] },
        person: { id: "p", roles: ["x"], groups: ["z"] },
        client: { name: "n", confidence: "SIGNED", model: "m", modelConfidence: "HEADER" },
        targetRegion: "eu",
        windows: { "count('1h')": 1 },
        now: "2026-01-01T00:00:00Z",
      },
      expect: { outcome: "REQUIRE", rules: ["p", "q"], requirements: [{ group: "g", needed: 2 }] },
    },
  ],
});

/** What a change of a member is said with, by the end of its path; list items and what is inside cases, by what has them. */
const WORDS: Readonly<Record<string, RegExp>> = {
  platforms: /platform /,
  region: /: region /,
  tools: /tool|each call that has it/,
  platform: /platform /,
  name: /tool |platform |measure |case /,
  effect: /READ|WRITE/,
  data: /: categories of data: /,
  required: /: required arguments: /,
  measures: /measure/,
  path: /: path /,
  rules: /rule /,
  id: /rule .* added|rule .* removed/,
  when: /: when |→ when|always/,
  reason: /: because /,
  permit: /PERMIT/,
  forbid: /FORBID/,
  require: /requires|REQUIRE/,
  group: /requires 2 of |requires 1 of /,
  needed: / of (?:g|h)$/,
  assurance: /with assurance/,
  note: /with a note/,
  approver: /who has a role|who is in a region/,
  roles: /roles of which|who has a role/,
  regions: /regions of which|who is in a region/,
  ownerConfirms: /person the agent acts for/,
  ttl: /within /,
  escalate: /also of/,
  after: /after .* also of/,
  to: /also of/,
  cases: /case /,
  given: /: given /,
  expect: /: expect /,
};

interface Member {
  /** Members of objects only, such as `rules`, `require`, `ttl`. */
  readonly names: readonly string[];
  readonly path: readonly string[];
}

/** Every object, list and value inside `value`. */
function membersOf(value: unknown, names: readonly string[] = [], path: readonly string[] = []): readonly Member[] {
  if (typeof value !== "object" || value === null) return [{ names, path }];
  const inside = Object.entries(value).flatMap(([name, member]) =>
    membersOf(member, Array.isArray(value) ? names : [...names, name], [...path, name]),
  );
  return path.length === 0 ? inside : [{ names, path }, ...inside];
}

/** `value` with the member at `path` made another one, taken away, or, in a list, listed again. */
function edited(value: unknown, [name, ...rest]: readonly string[], to: unknown): unknown {
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  if (name === undefined) return to;
  if (rest.length > 0) copy[name] = edited(copy[name], rest, to);
  else if (to === "again" && Array.isArray(copy)) copy.push(copy[Number(name)]);
  else if (to !== undefined) copy[name] = to;
  else if (Array.isArray(copy)) copy.splice(Number(name), 1);
  else delete copy[name];
  return copy;
}

const HOSTILE = [
  '\nloosens: rule x"',
  "__proto__",
  "constructor",
  "\u202eabc",
  "(1 of 2) ",
  " → ",
  "none",
  "a/b",
  "a, b",
];
const VALUES = [
  ...HOSTILE,
  ...[
    "eu",
    "us",
    "KEY",
    "CHAT",
    "READ",
    "WRITE",
    "PERMIT",
    "FORBID",
    "3h",
    "4h",
    "10m",
    "p",
    "q",
    "other",
    "crm",
    "again",
  ],
  ...[1, 2, 3, true, undefined, [], {}, ["lead"], [{ platform: "shop" }], [{ group: "g", needed: 5 }]],
];

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

  it("name the member that was changed, added or removed, whichever it is and whatever it is changed to", () => {
    const reached = new Set<string>();
    const whole = canonicalize(withoutOrder(WHOLE as JsonValue));
    for (const { names, path } of membersOf(WHOLE)) {
      for (const to of VALUES) {
        const { success, data: other } = policySchema.safeParse(edited(WHOLE, path, to));
        if (!success || canonicalize(withoutOrder(other as JsonValue)) === whole) continue;
        const inCase = names.includes("given") ? "given" : names.includes("expect") ? "expect" : undefined;
        const word = WORDS[inCase ?? names.at(-1) ?? ""] ?? /platform crm|platform shop/;
        for (const [before, after] of [
          [WHOLE, other],
          [other, WHOLE],
        ] as readonly [PolicyDocument, PolicyDocument][]) {
          const lines = describeChanges(before, after);
          expect.soft(lines.join("\n"), `${path.join(".")} ${JSON.stringify(to)}`).toMatch(word);
          for (const line of lines) {
            expect(line).toMatch(/^(?:loosens: |may loosen: )?(?:rule|measures?|platform|tool|case) /);
            expect(line).not.toMatch(/[\p{C}]/u);
          }
        }
        reached.add(inCase ?? names.at(-1) ?? "");
      }
    }
    // The first has one value only, and the next are changed together: see diff.test.ts.
    const fixed = ["policy", "catalog", "permit", "forbid"];
    const missing = membersOf(WHOLE).flatMap(({ names }) =>
      names.filter((name) => !fixed.includes(name) && !reached.has(name) && name in WORDS),
    );
    expect([...new Set(missing)]).toEqual([]);
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
