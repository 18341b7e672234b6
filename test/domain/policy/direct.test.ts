import { isCelError, plan } from "@bufbuild/cel";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENVIRONMENT } from "../../../src/domain/policy/conditions/check.ts";
import { direct } from "../../../src/domain/policy/conditions/direct.ts";
import { parsed } from "../../../src/domain/policy/conditions/parse.ts";
import { type Readings, readingsOf } from "../../../src/domain/policy/conditions/readings.ts";
import { NO_LINEAGE } from "../../../src/domain/policy/conditions/variables.ts";
import { takeWindows } from "../../../src/domain/policy/conditions/windows.ts";
import { situation } from "./situations.ts";

const TOOL = { effect: "WRITE", data: ["personal", "money"], region: "eu" } as const;
const COUNTED = 'count("1h")';

/** What the condition is directly, and by the library: `undefined` where that is an error. */
function both(text: string, readings: Readings) {
  const { expr } = parsed(text);
  takeWindows(expr, new Set());
  const own = direct(expr)(readings);
  const run = plan(ENVIRONMENT, expr) as (bindings: object) => unknown;
  const result = run(readings.bindings());
  return { own, library: isCelError(result) ? undefined : result };
}

const texts = fc.oneof(
  fc.constantFrom("", "eu", "send", "personal", "Ab", "1.5", "gift_card_1", "é𝒳"),
  fc.string({ maxLength: 3 }),
);
const numbers = fc.constantFrom(0, -1, 1, 2, 200, 0.5, 1e21, -3.25);
const scalars = fc.oneof(texts, numbers, fc.boolean(), fc.constant(null));
const values = fc.oneof(
  scalars,
  fc.array(scalars, { maxLength: 3 }),
  fc.array(fc.record({ price: scalars, name: texts }), { maxLength: 3 }),
  fc.record({ city: scalars, inner: fc.record({ a: scalars }) }),
);
const readings = fc
  .record({
    a: values,
    b: values,
    items: fc.array(fc.record({ price: fc.oneof(numbers, texts), name: texts }), { maxLength: 3 }),
    region: fc.option(texts, { nil: undefined }),
    minute: fc.integer({ min: 0, max: 900_000 }),
    counted: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
  })
  .map(({ a, b, items, region, minute, counted }) =>
    readingsOf(
      situation({
        arguments: { a, b, items },
        targetRegion: region,
        lineage: { ...NO_LINEAGE, kinds: ["OBSERVED"], platforms: ["eu"], regions: ["eu"], evidence: counted ?? 0 },
        now: new Date(Date.UTC(2026, 0, 1) + minute * 60_000),
      }),
      TOOL,
      { bound: new Map(counted === undefined ? [] : [[COUNTED, BigInt(counted)]]), json: {}, problems: new Map() },
    ),
  );

const literal = fc.oneof(
  texts.map((text) => JSON.stringify(text.replace(/[^\x20-\x7e]/gu, ""))),
  fc.constantFrom("1", "-1", "0", "200", "0.5", "2.0", "true", "false", "null"),
);
const operand = fc.oneof(
  { weight: 3, arbitrary: literal },
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      "args.a",
      "args.b",
      "args.nothing",
      "args.a.city",
      "args.a.inner.a",
      'args["b"]',
      "args.a[0]",
      "args.items[1].name",
      "args",
      "args.items",
      "lineage.evidence",
      "-lineage.evidence",
      "lineage.platforms",
      "lineage.untrusted",
      "lineage.shares.none",
      "tool.name",
      "tool.effect",
      "tool.data",
      "principal.groups",
      "person.roles",
      "client.model",
      "region",
      "targetRegion",
      "number(args.a)",
      "size(args.b)",
      "args.items.size()",
      "args.a.lowerAscii()",
      "tool.platform.upperAscii()",
      "-args.a",
      'now.getHours("Europe/Berlin")',
      "now.getDayOfWeek()",
      'now.getDayOfYear("-11:30")',
      'now.getMonth("Nowhere/At_All")',
      "now.getDate(args.a)",
      "now",
      COUNTED,
      '["eu", "us"]',
      "[1, 2.0, 200]",
      "[args.a, 1]",
    ),
  },
);
const simple = fc.oneof(
  fc
    .tuple(operand, fc.constantFrom("==", "!=", "<", "<=", ">", ">=", "in", "in"), operand)
    .map(([one, operator, other]) => `${one} ${operator} ${other}`),
  fc
    .tuple(operand, fc.constantFrom("startsWith", "endsWith", "contains"), operand)
    .map(([one, method, other]) => `${one}.${method}(${other})`),
  fc.constantFrom("has(args.a)", "has(args.b.city)", "has(args.a.inner.a)", "has(tool.name)", "has(args.a.city.more)"),
  operand,
);
const inList = fc
  .tuple(
    fc.constantFrom("args.items", "args.a", "args.b", "tool.data"),
    fc.constantFrom("exists", "all", "exists_one"),
    fc.constantFrom(
      "i.price > args.a",
      "i.price == 200",
      'i.name == "eu"',
      "i == args.b",
      'i == "personal"',
      "number(i.price) < 2.0",
      "a.price == 1",
    ),
  )
  .map(([list, macro, condition]) => `${list}.${macro}(i, ${condition.replace("a.price", "args.a")})`);
const conditions = fc.letrec<{ condition: string }>((tie) => ({
  condition: fc.oneof(
    { depthSize: "small" },
    simple,
    inList,
    fc
      .tuple(tie("condition"), fc.constantFrom("&&", "||"), tie("condition"))
      .map(([one, and, other]) => `(${one}) ${and} (${other})`),
    tie("condition").map((one) => `!(${one})`),
    fc
      .tuple(tie("condition"), tie("condition"), tie("condition"))
      .map(([one, two, three]) => `(${one}) ? (${two}) : (${three})`),
  ),
})).condition;

describe("a condition that is evaluated without the library", () => {
  it("has the value that the library gives it, or none", () => {
    let known = 0;
    fc.assert(
      fc.property(conditions, readings, (text, given) => {
        const { own, library } = both(text, given);
        if (own === undefined || typeof own === "object") return;
        known += 1;
        expect({ text, value: own }).toEqual({ text, value: library });
      }),
      { seed: 11, numRuns: 2_000 },
    );
    expect(known).toBeGreaterThan(300);
  });

  it.each([
    'tool.effect == "WRITE" && ("night" in person.groups || "support" in person.groups)',
    'tool.platform == "crm" && number(args.nothing) > 1.0',
    "args.items.exists(i, i.price > 200.0) && size(args.items) < 9",
    'has(args.email) && args.email.lowerAscii().endsWith("@rival.example")',
    'args.to.startsWith("a@") || args.nothing',
    '!(client.confidence in ["SIGNED", "REGISTERED"]) && targetRegion != region',
    'now.getHours("Europe/Berlin") == 0 && now.getDayOfWeek("Europe/Berlin") in [5, 6]',
    'count("1h") > 2',
    '(tool.effect == "READ" ? args.nothing : args.amount) == 300',
  ])("needs no library: %s", (text) => {
    const values = { bound: new Map([[COUNTED, 3n]]), json: {}, problems: new Map<string, string>() };
    const { own, library } = both(text, readingsOf(situation(), TOOL, values));
    expect(own).toBeTypeOf("boolean");
    expect(own).toBe(library);
  });

  it.each([
    "args.amount + 1.0 > 2.0",
    "args.nothing == 1",
    "args.to > 5",
    "number(args.items) > 1.0",
    'args.to.matches("a+")',
    "now == now",
    "args.items.exists(now, now.getHours() >= 0)",
  ])("is left to the library: %s", (text) => {
    const none = { bound: new Map<string, bigint>(), json: {}, problems: new Map<string, string>() };
    expect(both(text, readingsOf(situation(), TOOL, none)).own).toBeUndefined();
  });
});
