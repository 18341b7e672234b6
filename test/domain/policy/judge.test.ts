import { describe, expect, it } from "vitest";
import type { Situation } from "../../../src/domain/policy/conditions/variables.ts";
import { NO_LINEAGE } from "../../../src/domain/policy/conditions/variables.ts";
import type { JsonObject } from "../../../src/facts/canonical.ts";
import { policyOf, situation } from "./situations.ts";

const rule = (id: string, when: string, outcome: string) =>
  `  - { id: ${id}, when: ${JSON.stringify(when)}, ${outcome}, reason: r }`;
const PERMIT = "permit: true";
const FORBID = "forbid: true";
const TWO = "require: [{ group: approvers, needed: 2 }]";

type Row = readonly [name: string, condition: string, matches: boolean | "error", changed?: Partial<Situation>];

const READ_IN_THE_EU = { ...NO_LINEAGE, kinds: ["OBSERVED"], platforms: ["crm"], regions: ["eu"], evidence: 3 };

/** Conditions, and what they are for a situation. */
const ROWS: readonly Row[] = [
  ["a number compared", "args.amount > 200", true],
  ["a number compared with a double", "args.amount > 200.5", true],
  ["a number that is less", "args.amount > 300", false],
  ["a text as a number", "number(args.amount) > 200.0", true, { arguments: { amount: "300.50" } }],
  ["a text that is no number", "number(args.amount) > 200.0", "error", { arguments: { amount: "many" } }],
  [
    "a text that JavaScript would read as a number",
    "number(args.amount) >= 0.0",
    "error",
    { arguments: { amount: "0x10" } },
  ],
  ["a text compared with a number", "args.amount > 200", "error", { arguments: { amount: "300" } }],
  ["a missing argument", "args.nothing > 200", "error"],
  ["a missing argument, asked for", "has(args.nothing)", false],
  ["null, asked for", "has(args.amount)", false, { arguments: { amount: null } }],
  ["arguments that are a list", "args.amount > 200", "error", { arguments: [1] }],
  ["arguments that are a text", 'args == "x"', true, { arguments: "x" }],
  ["a member of every object", "has(args.constructor)", false],
  ["the prototype", 'args["__proto__"] == 1', "error"],
  ["a list gone through", "args.items.exists(i, i.price > 200)", true],
  ["all of a list", "args.items.all(i, i.price > 200)", false],
  ["a list filtered", "args.items.filter(i, i.price > 200).size() == 1", true],
  ["the size of a list", "args.items.size() > 1", true],
  [
    "a list of 1,001",
    "args.items.size() > 1",
    "error",
    { arguments: { items: Array.from({ length: 1_001 }, () => 1) } },
  ],
  ["a text of 16,385", 'args.text == "x"', "error", { arguments: { text: "x".repeat(16_385) } }],
  [
    "a long text that it does not read",
    "args.amount > 1",
    true,
    { arguments: { amount: 2, text: "x".repeat(20_000) } },
  ],
  ["a text in another", 'args.to.endsWith("@b.example")', true],
  ["a pattern", 'args.to.matches("^[a-z]+@b[.]example$")', true],
  ["a pattern that explodes elsewhere", '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!".matches("^(a+)+$")', false],
  ["a text split", 'args.to.split("@").size() == 2', true],
  ["a text split into 1,001", 'args.to.split(",").size() == 2', "error", { arguments: { to: ",".repeat(1_000) } }],
  ["a text replaced", 'args.to.replace("@", " at ") == "a at b.example"', true],
  [
    "a text that grows when it is replaced",
    'args.to.replace("a", args.to).size() > 0',
    "error",
    { arguments: { to: "a".repeat(1_000) } },
  ],
  ["small letters", 'args.to.lowerAscii() == "a@b.example"', true, { arguments: { to: "A@B.example" } }],
  ["the tool", 'tool.platform == "vouchers" && tool.name == "send"', true],
  ["the effect", 'tool.effect == "WRITE"', true],
  [
    "a category of data",
    '"personal" in tool.data',
    true,
    { platform: "crm", tool: "delete_user", arguments: { id: 1 } },
  ],
  ["another category", '"personal" in tool.data', false],
  ["the region", 'region == "us"', true],
  ["the region that data goes to", 'targetRegion != "" && targetRegion != region', true, { targetRegion: "eu" }],
  ["no region that data goes to", 'targetRegion != "" && targetRegion != region', false],
  ["read in eu, written in us", '"eu" in lineage.regions && region == "us"', true, { lineage: READ_IN_THE_EU }],
  ["the platform of a link", 'lineage.platforms == ["crm"]', true, { lineage: READ_IN_THE_EU }],
  ["the kind of a link", 'lineage.kinds.all(k, k == "OBSERVED")', true, { lineage: READ_IN_THE_EU }],
  ["how many values were found", "lineage.evidence >= 3", true, { lineage: READ_IN_THE_EU }],
  ["no lineage", 'lineage.kinds == [] && !("eu" in lineage.regions) && lineage.evidence == 0', true],
  ["the principal", 'principal.kind == "AGENT" && "agent" in principal.roles', true],
  ["the person behind it", 'person.id == "member" && "support" in person.groups', true],
  ["nobody behind it", 'person.id == ""', true, { person: undefined }],
  ["the client", 'client.name == "claude-code" && client.confidence in ["SIGNED", "REGISTERED"]', false],
  ["no model", 'client.model == ""', true],
  ["the hour in UTC", "now.getHours() == 23", true],
  ["the hour elsewhere", 'now.getHours("Europe/Berlin") == 0', true],
  ["the day elsewhere", 'now.getDayOfWeek("Europe/Berlin") == 5', true],
  ["a time zone that is none", 'now.getHours("Europe/Nowhere") == 0', "error"],
  ["a time compared", 'now > timestamp("2026-01-01T00:00:00Z")', true],
  ["a time that is over", 'now - timestamp("2026-11-26T00:00:00Z") > duration("24h")', false],
  ["an error beside true", "args.nothing > 1 || args.amount > 1", true],
  ["an error beside false", "args.nothing > 1 || args.amount > 1000", "error"],
  ["an error that is not looked at", "args.amount > 1000 && args.nothing > 1", false],
  ["a number that is no condition", "args.amount", "error"],
  ["a text that is no condition", '"true"', "error"],
  ["a division by zero", "1 / 0 == 1", "error"],
  ["a condition of a condition", 'args.amount > 100 ? tool.name == "send" : false', true],
  ["a type of its own", "size(args) == 3", true],
];

const conditions = ROWS.map(([name, condition, matches, changed = {}]) => ({ name, condition, matches, changed }));

describe("a rule that permits", () => {
  it.each(conditions)("with $name ($condition)", ({ condition, matches, changed }) => {
    const verdict = policyOf(rule("it", condition, PERMIT)).judge(situation(changed));
    expect(verdict.outcome).toBe(matches === true ? "PERMIT" : "REQUIRE");
    expect(verdict.explanation[0]?.error === undefined).toBe(matches !== "error");
    expect(verdict.matched.map(({ ruleId }) => ruleId)).toEqual([matches === true ? "it" : "not-covered"]);
  });
});

describe("a rule that forbids or requires", () => {
  it.each(conditions)("with $name ($condition)", ({ condition, matches, changed }) => {
    const rules = `${rule("others", "true", PERMIT)}\n`;
    // What cannot be evaluated counts as matched, in its strictest reading.
    const strict = matches !== false;
    expect(policyOf(rules + rule("it", condition, FORBID)).judge(situation(changed)).outcome).toBe(
      strict ? "FORBID" : "PERMIT",
    );
    expect(policyOf(rules + rule("it", condition, TWO)).judge(situation(changed)).outcome).toBe(
      strict ? "REQUIRE" : "PERMIT",
    );
  });
});

describe("arguments that pretend to be something else", () => {
  const struct = (amount: number) => ({ fields: { amount: { kind: { case: "numberValue", value: amount } } } });
  const pretending: readonly JsonObject[] = [
    { $typeName: "google.protobuf.Struct", ...struct(5), amount: 1_000_000 },
    { $typeName: "google.protobuf.Value", kind: { case: "structValue", value: struct(5) }, amount: 1_000_000 },
    { constructor: { name: "Map" }, amount: 1_000_000 },
    { ["__proto__"]: { amount: 5 }, amount: 1_000_000 },
    { amount: 1_000_000, toString: 1, valueOf: 1, $typeName: "x" },
  ];

  it.each(pretending)("are read as the object they are: %j", (given) => {
    const policy = policyOf(
      `${rule("small", "args.amount <= 50", PERMIT)}\n${rule("large", "args.amount > 200", TWO)}`,
    );
    const verdict = policy.judge(situation({ arguments: given }));
    expect(verdict).toMatchObject({
      outcome: "REQUIRE",
      matched: [{ ruleId: "large", values: { "args.amount": 1_000_000 } }],
    });
    expect(verdict.matched[0]?.error).toBeUndefined();
  });

  it("are read so within lists and objects, too", () => {
    const item = { $typeName: "google.protobuf.DoubleValue", value: 1 };
    const policy = policyOf(rule("list", 'args.items.exists(i, i["$typeName"] != "") && args.one.value == 1', FORBID));
    const verdict = policy.judge(situation({ arguments: { items: [item], one: item } }));
    expect([verdict.outcome, verdict.matched[0]?.error]).toEqual(["FORBID", undefined]);
  });
});

describe("rules together", () => {
  it("are as strict as the strictest", () => {
    const all = [rule("a", "true", PERMIT), rule("b", "true", TWO), rule("c", "true", FORBID)];
    expect(policyOf(all.join("\n")).judge(situation())).toMatchObject({
      outcome: "FORBID",
      matched: [{ ruleId: "c" }, { ruleId: "b" }, { ruleId: "a" }],
      requirements: [],
    });
    expect(policyOf(all.slice(0, 2).join("\n")).judge(situation()).outcome).toBe("REQUIRE");
  });

  it("require all groups, and of each the largest number", () => {
    const rules = [
      rule("a", "true", "require: [{ group: finance, needed: 1 }, { group: approvers, needed: 3 }]"),
      rule("b", "true", TWO),
      rule("c", "true", "require: [{ group: legal, needed: 1 }]"),
      rule("d", "false", "require: [{ group: board, needed: 5 }]"),
    ];
    expect(policyOf(rules.join("\n")).judge(situation()).requirements).toEqual([
      { id: "a:approvers", group: "approvers", needed: 3 },
      { id: "a:finance", group: "finance", needed: 1 },
      { id: "c", group: "legal", needed: 1 },
    ]);
  });

  it("that do not cover a write have one approver asked, and forbid a tool that is not listed", () => {
    const policy = policyOf("");
    expect(policy.judge(situation())).toMatchObject({
      outcome: "REQUIRE",
      requirements: [{ group: "approvers", needed: 1 }],
    });
    expect(policy.judge(situation({ platform: "crm", tool: "get_user" })).outcome).toBe("REQUIRE");
    for (const [platform, tool] of [
      ["vouchers", "get_user"],
      ["erp", "send"],
      ["constructor", "toString"],
    ] as const) {
      const verdict = policy.judge(situation({ platform, tool }));
      expect(verdict).toMatchObject({ outcome: "FORBID", matched: [{ ruleId: "unknown-tool-forbidden" }] });
    }
  });

  it("cannot permit or require what the catalog does not list", () => {
    for (const outcome of [PERMIT, TWO]) {
      const verdict = policyOf(rule("all", "true", outcome)).judge(situation({ tool: "sned" }));
      expect(verdict).toMatchObject({
        outcome: "FORBID",
        matched: [{ ruleId: "unknown-tool-forbidden" }, { ruleId: "all" }],
      });
    }
  });

  it("cannot permit an agent to act where it was not invited, or without an argument that the catalog requires", () => {
    const policy = policyOf(rule("all", "true", PERMIT));
    expect(policy.judge(situation(), ["crm"])).toMatchObject({
      outcome: "FORBID",
      matched: [{ ruleId: "agent-platforms" }, {}],
    });
    expect(policy.judge(situation(), ["vouchers"]).outcome).toBe("PERMIT");
    const erased = situation({ platform: "crm", tool: "delete_user", arguments: { name: "x" } });
    expect(policy.judge(erased)).toMatchObject({ outcome: "FORBID", matched: [{ ruleId: "missing-arguments" }, {}] });
  });

  it("say which values they read, and why they could not be evaluated", () => {
    const policy = policyOf(
      `${rule("a", 'args.amount > 200 && tool.platform == "vouchers"', TWO)}\n${rule("b", "args.items[1].price > args.limit", FORBID)}`,
    );
    expect(policy.judge(situation()).explanation).toEqual([
      {
        ruleId: "a",
        matched: true,
        outcome: "REQUIRE",
        reason: "r",
        values: { "args.amount": 300, "tool.platform": "vouchers" },
      },
      {
        ruleId: "b",
        matched: true,
        outcome: "FORBID",
        reason: "r",
        values: { "args.items[1].price": 250 },
        error: expect.stringContaining("limit"),
      },
    ]);
  });
});
