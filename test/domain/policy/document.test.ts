import { describe, expect, it } from "vitest";
import { runCases } from "../../../src/domain/policy/cases.ts";
import { loadCatalog } from "../../../src/domain/policy/catalog.ts";
import { compilePolicy } from "../../../src/domain/policy/compile.ts";
import { PolicyDocumentError } from "../../../src/domain/policy/document/problems.ts";
import { readPolicy } from "../../../src/domain/policy/document/read.ts";
import { starterDocument } from "../../../src/domain/policy/document/starter.ts";
import { situation } from "./situations.ts";

const NOW = new Date("2026-11-26T12:00:00Z");

/** A good document, with `rules` in place of its rule. */
const withRules = (rules: string) => `policy: 1
catalog:
  platforms: { crm: { region: eu } }
  tools: [{ platform: crm, name: pay, effect: WRITE }]
rules:
${rules}
`;
const RULE = "  - { id: a, permit: true, reason: r }";
const GOOD = withRules(RULE);

function complaintOf(text: string): string {
  try {
    compilePolicy(readPolicy(text));
  } catch (error) {
    if (error instanceof PolicyDocumentError) return error.message;
    throw error;
  }
  return "none";
}

describe("a policy document", () => {
  it("is hashed by its value: comments, notation and order do not matter, and everything else does", () => {
    const { hash } = readPolicy(GOOD);
    const json = JSON.stringify({
      rules: [{ reason: "r", permit: true, id: "a" }],
      catalog: { tools: [{ effect: "WRITE", name: "pay", platform: "crm" }], platforms: { crm: { region: "eu" } } },
      policy: 1,
    });
    expect(readPolicy(json).hash).toBe(hash);
    expect(readPolicy(`# A comment\n${GOOD}`).hash).toBe(hash);
    expect(readPolicy(GOOD.replace("reason: r", "reason: R")).hash).not.toBe(hash);
    expect(readPolicy(GOOD.replace("effect: WRITE", "effect: READ")).hash).not.toBe(hash);
  });

  it.each([
    ["nothing", "", "expected object"],
    ["a text", "hello", "expected object"],
    ["a syntax error", GOOD.replace("eu }", "eu"), "is not YAML"],
    ["two documents", `${GOOD}---\n${GOOD}`, "is not YAML"],
    [
      "a member twice",
      GOOD.replace("policy: 1", "policy: 1\npolicy: 1"),
      'line 2, column 1 has the member "policy" twice',
    ],
    [
      "a member twice within it",
      GOOD.replace("region: eu", 'region: eu, "region": us'),
      'has the member "region" twice',
    ],
    ["a tag", GOOD.replace("reason: r", "reason: !x r"), "is not YAML"],
    ["an alias", GOOD.replace("reason: r", "reason: &r r").replace("id: a", "id: a"), "anchor"],
    ["a prototype", GOOD.replace("{ crm:", "{ __proto__: { region: eu }, crm:"), "__proto__"],
    ["half a surrogate pair", GOOD.replace("reason: r", 'reason: "\\ud800"'), "cannot be stored"],
    ["U+0000 as an escape", GOOD.replace("reason: r", 'reason: "\\0"'), "cannot be stored"],
    ["U+0000 in the name of a member", GOOD.replace("{ crm:", '{ "\\0": { region: eu }, crm:'), "cannot be stored"],
    ["a merge key", GOOD.replace("{ region: eu }", "{ <<: { region: eu } }"), "<<"],
    ["a tag of 200,000 characters", GOOD.replace("reason: r", `reason: !${"x".repeat(200_000)} r`), "is not YAML"],
    ["U+0000", GOOD.replace("reason: r", "reason: \0"), "cannot be stored"],
    ["another version", GOOD.replace("policy: 1", "policy: 2"), "policy at line 1"],
    ["an unknown member", GOOD.replace("policy: 1", "policy: 1\nfallback: permit"), "fallback"],
    [
      "an integer that would be rounded",
      `${GOOD}cases:\n  - { name: n, given: { platform: crm, tool: pay, arguments: { n: 9007199254740993 } }, expect: { outcome: PERMIT } }`,
      "2^53",
    ],
    [
      "a number that is none",
      `${GOOD}cases:\n  - { name: n, given: { platform: crm, tool: pay, arguments: { n: .nan } }, expect: { outcome: PERMIT } }`,
      "number that JSON has not",
    ],
    [
      "a tool on no platform",
      GOOD.replace("platform: crm", "platform: erp"),
      "catalog.tools.0 at line 4, column 11: is on platform erp",
    ],
    [
      "a tool twice",
      GOOD.replace("effect: WRITE }", "effect: WRITE }, { platform: crm, name: pay, effect: READ }"),
      "lists pay on crm again",
    ],
    ["an invisible character in a name", GOOD.replace("name: pay", 'name: "pa\\u200by"'), "U+200B"],
    ["a region that is none", GOOD.replace("region: eu", "region: E U"), "region"],
    ["a rule without an outcome", withRules("  - { id: a, reason: r }"), "exactly one of permit, forbid and require"],
    ["a rule with two outcomes", withRules("  - { id: a, permit: true, forbid: true, reason: r }"), "exactly one of"],
    ["a rule that does not permit", withRules("  - { id: a, permit: false, reason: r }"), "rules.0.permit"],
    ["a rule without a reason", withRules("  - { id: a, permit: true }"), "reason"],
    ["two rules alike", withRules(`${RULE}\n${RULE}`), "there is a rule a before"],
    ["a rule with a built-in id", withRules("  - { id: unknown-tool-forbidden, permit: true, reason: r }"), "built-in"],
    ["a rule with an id that is none", withRules('  - { id: "A b", permit: true, reason: r }'), "small letters"],
    ["nobody required", withRules("  - { id: a, require: [], reason: r }"), "require"],
    ["none of a group required", withRules("  - { id: a, require: [{ group: g, needed: 0 }], reason: r }"), "needed"],
    [
      "a group required twice",
      withRules("  - { id: a, require: [{ group: g, needed: 1 }, { group: g, needed: 1 }], reason: r }"),
      "names a group twice",
    ],
    [
      "a condition with a syntax error",
      withRules("  - { id: a, when: 'args.x >', permit: true, reason: r }"),
      "rules.0.when at line 6",
    ],
    [
      "an unknown variable",
      withRules("  - { id: a, when: 'arg.x > 1', permit: true, reason: r }"),
      "there is no variable arg",
    ],
    [
      "an unknown member of a variable",
      withRules("  - { id: a, when: 'principal.role == \"x\"', permit: true, reason: r }"),
      "principal has no member role",
    ],
    [
      "an unknown function",
      withRules("  - { id: a, when: 'lower(args.x) == \"x\"', permit: true, reason: r }"),
      "there is no function lower",
    ],
    [
      "a message",
      withRules("  - { id: a, when: 'google.protobuf.Any{} == 1', permit: true, reason: r }"),
      "there is no",
    ],
    [
      "a list within a list gone through",
      withRules("  - { id: a, when: 'args.a.all(x, args.b.all(y, x == y))', permit: true, reason: r }"),
      "within another one",
    ],
    [
      "a condition that is too long",
      withRules(`  - { id: a, when: '${"1 == 1 && ".repeat(500)}true', permit: true, reason: r }`),
      "when",
    ],
    [
      "a condition of too many parts",
      withRules(`  - { id: a, when: '${"1 == 1 && ".repeat(200)}true', permit: true, reason: r }`),
      "500 parts",
    ],
    [
      "a condition that is nested too deep",
      withRules(`  - { id: a, when: '${"(".repeat(2_000)}true${")".repeat(2_000)}', permit: true, reason: r }`),
      "nested",
    ],
    ["5 MB", `${GOOD}# ${"x".repeat(5_000_000)}`, "longer than"],
    ["lists 10,000 deep", `policy: ${"[".repeat(10_000)}${"]".repeat(10_000)}`, "nested too deep"],
    ["more aliases than there is memory for", `a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\npolicy: [*c]`, "anchor"],
  ])("with %s is refused", (_, text, complaint) => {
    const message = complaintOf(text);
    expect(message).not.toBe("none");
    expect(message).toContain(complaint);
    expect(message.length).toBeLessThan(5_000);
  });

  it("is refused with all of its problems, each with its place", () => {
    const rules = [
      "  - { id: a, when: 'x', permit: true, reason: r }",
      "  - { id: a, when: 'y(1)', permit: true, reason: r }",
    ];
    expect(complaintOf(withRules(rules.join("\n"))).split("; r")).toHaveLength(3);
  });
});

describe("the starter", () => {
  it("permits reads, has one approver asked about writes, and forbids what is not listed", async () => {
    const document = starterDocument(await loadCatalog());
    const policy = compilePolicy(readPolicy(JSON.stringify(document)));
    const given = (platform: string, tool: string) => situation({ platform, tool, arguments: {} });
    expect(policy.judge(given("crm", "get_user_details"))).toMatchObject({
      outcome: "PERMIT",
      matched: [{ ruleId: "reads-permitted" }],
    });
    expect(policy.judge(given("vouchers", "send_certificate"))).toMatchObject({
      outcome: "REQUIRE",
      requirements: [{ id: "writes-one-approver", group: "approvers", needed: 1 }],
    });
    expect(policy.judge(given("crm", "send_certificate")).outcome).toBe("FORBID");
  });
});

describe("cases", () => {
  const CASES = `cases:
  - name: pays
    given: { platform: crm, tool: pay }
    expect: { outcome: PERMIT, rules: [a] }
`;

  it("pass when the policy does what they say", () => {
    expect(runCases(compilePolicy(readPolicy(GOOD + CASES)), NOW)).toEqual({ passed: 1, failed: [], untested: [] });
  });

  it.each([
    ["another outcome", CASES.replace("outcome: PERMIT", "outcome: FORBID"), "the outcome is PERMIT, by a, not FORBID"],
    ["other rules", CASES.replace("[a]", "[]"), "the rules that match are a, not none"],
    [
      "other people",
      CASES.replace("rules: [a]", "requirements: [{ group: g, needed: 2 }]"),
      "required are none, not 2 of g",
    ],
  ])("fail with %s", (_, cases, problem) => {
    const { failed } = runCases(compilePolicy(readPolicy(GOOD + cases)), NOW);
    expect(failed).toEqual([{ name: "pays", problem }]);
  });

  it("find the rules that match in none of them", () => {
    const rules = `${RULE}\n  - { id: b, when: 'args.amount > 1000', forbid: true, reason: r }`;
    expect(runCases(compilePolicy(readPolicy(withRules(rules))), NOW).untested).toEqual(["a", "b"]);
    const amount = CASES.replace("tool: pay }", "tool: pay, arguments: { amount: 5 } }");
    expect(runCases(compilePolicy(readPolicy(withRules(rules) + amount)), NOW)).toMatchObject({
      failed: [],
      untested: ["b"],
    });
  });

  it("name why a condition could not be evaluated", () => {
    const rules = "  - { id: b, when: 'args.amount > 1000', forbid: true, reason: r }";
    const { failed } = runCases(compilePolicy(readPolicy(withRules(rules) + CASES)), NOW);
    expect(failed[0]?.problem).toMatch(/^the outcome is FORBID, by b \(b: .*amount.*\), not PERMIT$/);
  });
});
