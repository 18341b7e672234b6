import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { textLines } from "../../../src/domain/actions/rendering/values.ts";
import { describeChanges } from "../../../src/domain/policy/diff.ts";
import { readPolicy } from "../../../src/domain/policy/document/read.ts";
import type { PolicyDocument } from "../../../src/domain/policy/document/schema.ts";

const TEXT = `policy: 1
catalog:
  platforms: { crm: { region: eu }, shop: { region: us } }
  tools:
    - { platform: crm, name: get_user, effect: READ, data: [personal, contact] }
    - { platform: shop, name: send, effect: WRITE, required: [amount, to] }
measures:
  - { name: amount, path: amount, tools: [{ platform: shop }] }
  - { name: seats, path: seats }
rules:
  - { id: reads, when: tool.effect == "READ", permit: true, reason: Reading changes nothing. }
  - id: large
    when: number(args.amount) > 200.0
    require: [{ group: approvers, needed: 2 }, { group: finance, needed: 1 }]
    reason: Large ones need people.
  - { id: never, when: targetRegion == "xx", forbid: true, reason: Not there. }
  - { id: writes, require: [{ group: approvers, needed: 1 }], reason: One approves. }
cases:
  - name: reading
    given: { platform: crm, tool: get_user }
    expect: { outcome: PERMIT, rules: [reads] }
`;

/** The changes when `from` is replaced by `to` in the document. */
function changed(from: string, to: string): readonly string[] {
  const edited = TEXT.replace(from, () => to);
  expect(edited).not.toBe(TEXT);
  return describeChanges(readPolicy(TEXT).document, readPolicy(edited).document);
}

describe("the changes of a policy document", () => {
  it.each<readonly [from: string, to: string, ...lines: string[]]>([
    // Rules
    [
      "[{ group: approvers, needed: 2 }, { group: finance, needed: 1 }]",
      "[{ group: approvers, needed: 1 }, { group: finance, needed: 1 }]",
      "loosens: rule large: REQUIRE 1 of finance and 2 of approvers → REQUIRE 1 of approvers and 1 of finance",
    ],
    [
      "require: [{ group: approvers, needed: 1 }]",
      "permit: true",
      "loosens: rule writes: REQUIRE 1 of approvers → PERMIT",
    ],
    ["forbid: true", "permit: true", "loosens: rule never: FORBID → PERMIT"],
    ["forbid: true", "require: [{ group: a, needed: 1 }]", "loosens: rule never: FORBID → REQUIRE 1 of a"],
    ["permit: true", "forbid: true", "rule reads: PERMIT → FORBID"],
    [
      ", { group: finance, needed: 1 }]",
      "]",
      "loosens: rule large: REQUIRE 1 of finance and 2 of approvers → REQUIRE 2 of approvers",
    ],
    [
      "[{ group: approvers, needed: 1 }]",
      "[{ group: friends, needed: 3 }]",
      "loosens: rule writes: REQUIRE 1 of approvers → REQUIRE 3 of friends",
    ],
    [
      "[{ group: approvers, needed: 1 }]",
      "[{ group: approvers, needed: 2 }]",
      "rule writes: REQUIRE 1 of approvers → REQUIRE 2 of approvers",
    ],
    [
      "> 200.0",
      "> 2000.0",
      'may loosen: rule large: when "number(args.amount) > 200.0" → "number(args.amount) > 2000.0"',
    ],
    ['when: tool.effect == "READ", ', "", 'loosens: rule reads: when "tool.effect == \\"READ\\"" → always'],
    [
      "when: number(args.amount) > 200.0\n    ",
      "",
      'may loosen: rule large: when "number(args.amount) > 200.0" → always',
    ],
    ['when: targetRegion == "xx", ', "", 'rule never: when "targetRegion == \\"xx\\"" → always'],
    [
      "{ id: writes, ",
      '{ id: writes, when: region == "eu", ',
      'loosens: rule writes: always → when "region == \\"eu\\""',
    ],
    ["Not there.", "Not ever.", 'rule never: because "Not there." → "Not ever."'],
    [
      '  - { id: never, when: targetRegion == "xx", forbid: true, reason: Not there. }\n',
      "",
      'loosens: rule never removed: FORBID, when "targetRegion == \\"xx\\"", because "Not there."',
    ],
    [
      '  - { id: reads, when: tool.effect == "READ", permit: true, reason: Reading changes nothing. }\n',
      "",
      'rule reads removed: PERMIT, when "tool.effect == \\"READ\\"", because "Reading changes nothing."',
    ],
    [
      "rules:\n",
      "rules:\n  - { id: open, permit: true, reason: Trust. }\n",
      'loosens: rule open added: PERMIT, always, because "Trust."',
    ],
    [
      "rules:\n",
      "rules:\n  - { id: more, require: [{ group: g h, needed: 2 }], reason: R. }\n",
      'may loosen: rule more added: REQUIRE 2 of "g h", always, because "R."',
    ],
    [
      "rules:\n",
      "rules:\n  - { id: shut, forbid: true, reason: R. }\n",
      'rule shut added: FORBID, always, because "R."',
    ],
    // The catalog
    ["effect: WRITE", "effect: READ", "loosens: tool send of platform shop: WRITE → READ"],
    ["effect: READ", "effect: WRITE", "may loosen: tool get_user of platform crm: READ → WRITE"],
    [
      "[personal, contact]",
      "[contact, health]",
      "may loosen: tool get_user of platform crm: categories of data: health added, personal removed",
    ],
    ["[amount, to]", "[to]", "loosens: tool send of platform shop: required arguments: amount removed"],
    ["[amount, to]", "[amount, to, id]", "tool send of platform shop: required arguments: id added"],
    ["shop: { region: us }", "shop: { region: eu }", "may loosen: platform shop: region us → eu"],
    [
      "shop: { region: us }",
      "shop: { region: us }, constructor: { region: eu }",
      "platform constructor added: region eu",
    ],
    ["crm: { region: eu }, ", "", "platform crm removed"],
    [
      "  tools:\n",
      "  tools:\n    - { platform: shop, name: get_user, effect: READ }\n",
      "loosens: tool get_user of platform shop added, which was forbidden: READ, data none, required arguments none",
    ],
    [
      "    - { platform: shop, name: send, effect: WRITE, required: [amount, to] }\n",
      "",
      "tool send of platform shop removed, so it is forbidden",
    ],
    // Measures
    [
      "  - { name: amount, path: amount,",
      "  - { name: amount, path: payment.total,",
      "may loosen: measure amount: path amount → payment.total",
    ],
    [", tools: [{ platform: shop }] }", " }", "may loosen: measure amount: tools shop → each call that has it"],
    [
      "[{ platform: shop }]",
      "[{ platform: shop, name: send }]",
      "may loosen: measure amount: tools: shop/send added, shop removed",
    ],
    ["  - { name: seats, path: seats }\n", "", "may loosen: measure seats removed: seats of each call that has it"],
    ["measures:\n", "measures:\n  - { name: weight, path: kg }\n", "measure weight added: kg of each call that has it"],
    // Cases
    [
      "outcome: PERMIT, rules: [reads]",
      "outcome: REQUIRE",
      'case "reading": expect {"outcome":"PERMIT","rules":["reads"]} → {"outcome":"REQUIRE"}',
    ],
    [
      "name: reading\n",
      "name: read\n",
      'case "read" added: given {"platform":"crm","tool":"get_user"}, expected {"outcome":"PERMIT","rules":["reads"]}',
      'case "reading" removed: given {"platform":"crm","tool":"get_user"}, expected {"outcome":"PERMIT","rules":["reads"]}',
    ],
    // Of several, what loosens comes first
    [
      'when: targetRegion == "xx", forbid: true, reason: Not there. }\n  - { id: writes, require: [{ group: approvers, needed: 1 }]',
      'when: targetRegion == "yy", forbid: true, reason: No. }\n  - { id: writes, permit: true',
      "loosens: rule writes: REQUIRE 1 of approvers → PERMIT",
      'may loosen: rule never: when "targetRegion == \\"xx\\"" → "targetRegion == \\"yy\\""',
      'rule never: because "Not there." → "No."',
    ],
  ])("from %j to %j are said", (from, to, ...lines) => {
    expect(changed(from, to)).toEqual(lines);
  });

  it("are none when only the order, the notation or a comment differs", () => {
    const { document } = readPolicy(TEXT);
    const { catalog, rules, cases } = document;
    const turned: PolicyDocument = {
      ...document,
      catalog: {
        platforms: Object.fromEntries(Object.entries(catalog.platforms).reverse()),
        tools: catalog.tools
          .map((tool) => ({ ...tool, data: tool.data.toReversed(), required: tool.required.toReversed() }))
          .reverse(),
      },
      measures: (document.measures ?? []).toReversed(),
      rules: rules.map((rule) => ({ ...rule, ...(rule.require && { require: rule.require.toReversed() }) })).reverse(),
      cases: cases.toReversed(),
    };
    expect(describeChanges(document, turned)).toEqual([]);
    expect(describeChanges(turned, readPolicy(`# again\n${TEXT}`).document)).toEqual([]);
  });

  it("are some for members without words of their own", () => {
    const { document } = readPolicy(TEXT);
    const { catalog, rules } = document;
    const [rule] = rules;
    const further = {
      ...document,
      owner: "risk",
      catalog: { platforms: { ...catalog.platforms, crm: { region: "eu", untrusted: true } }, tools: catalog.tools },
      rules: [{ ...rule!, ttl: 60 }, ...rules.slice(1)],
    };
    expect(describeChanges(document, further)).toEqual([
      'may loosen: document: owner none → "risk"',
      "may loosen: rule reads: ttl none → 60",
      "may loosen: platform crm: untrusted none → true",
    ]);
    const asked = (member: object) => ({
      ...document,
      rules: rules.map((each) => ({
        ...each,
        ...(each.require && { require: each.require.map((one) => ({ ...one, ...member })) }),
      })),
    });
    expect(describeChanges(asked({ floor: 1 }), asked({ floor: 2 }))).toContain(
      "may loosen: rule writes: REQUIRE 1 of approvers, floor 1 → REQUIRE 1 of approvers, floor 2",
    );
    expect(describeChanges(document, asked({ role: "admin" }))).toContain(
      "loosens: rule writes: REQUIRE 1 of approvers → REQUIRE 1 of approvers with role admin",
    );
  });

  it.each<readonly [object, object, string]>([
    [{ assurance: "MFA" }, { assurance: "KEY" }, ": with assurance MFA → with assurance KEY"],
    [{ assurance: "MFA" }, { assurance: "CHAT" }, "loosens: with assurance MFA → with assurance CHAT"],
    [{ assurance: "CHAT" }, {}, "loosens: with assurance CHAT → "],
    [{}, { note: true }, ":  → with a note"],
    [{ note: true }, {}, "loosens: with a note → "],
    [
      { approver: { roles: ["lead", "boss"] } },
      { approver: { regions: ["eu"] } },
      "may loosen: who has a role of boss, lead → who is in a region of eu",
    ],
    [{ approver: { roles: ["lead"] } }, {}, "loosens: who has a role of lead → "],
    [{}, { ownerConfirms: true }, "loosens:  → or the person the agent acts for"],
    [{ ownerConfirms: true }, {}, ": or the person the agent acts for → "],
    [{ ttl: "2h" }, { ttl: "1d" }, "may loosen: within 2h → within 1d"],
    [{}, { escalate: { after: "30m", to: "chiefs" } }, "loosens:  → after 30m also of chiefs"],
    [{ escalate: { after: "30m", to: "chiefs" } }, {}, ": after 30m also of chiefs → "],
    [
      { note: true },
      { note: true, ownerConfirms: true },
      "loosens: with a note → with a note, or the person the agent acts for",
    ],
    [{ note: "odd" }, { note: true }, 'may loosen: note "odd" → with a note'],
  ])("say of a requirement that has %j and then %j what that does", (before, after, expected) => {
    const { document } = readPolicy(TEXT);
    const withMembers = (members: object): PolicyDocument => ({
      ...document,
      rules: [{ id: "w", require: [{ group: "approvers", needed: 1, ...members }], reason: "r" }],
    });
    const [effect, ...lines] = expected.split(": ");
    const [was, is] = lines
      .join(": ")
      .split(" → ")
      .map((text) => `REQUIRE 1 of approvers${text === "" ? "" : `, ${text}`}`);
    expect(describeChanges(withMembers(before), withMembers(after))).toEqual([
      `${effect === "" ? "" : `${effect}: `}rule w: ${was} → ${is}`,
    ]);
  });

  it("quote what is in the documents, so that no text makes a line or hides in one", () => {
    const [line, ...others] = changed(
      "reason: Not there.",
      'reason: "a\\nloosens: \\u202erule\\u00a0x \\" → \\U000e0041 ü"',
    );
    expect(others).toEqual([]);
    expect(line).toBe('rule never: because "Not there." → "a\\nloosens: \\u202erule\\u00a0x \\" → \\udb40\\udc41 ü"');
    expect(textLines(line!).join("")).toContain("→");
  });

  it("show of long texts what differs, wherever that is", () => {
    const long = (middle: string) => `${"args.x == 1 || ".repeat(120)}${middle} ${"|| args.y == 1 ".repeat(120)}`;
    const of = (middle: string) => readPolicy(TEXT.replace("number(args.amount) > 200.0", () => long(middle))).document;
    const [line] = describeChanges(of("args.z == 1"), of("true"));
    expect(line).toMatch(/^may loosen: rule large: when ".*args\.z == 1 .*" → ".*\|\| true \|\|.*" \(equal: /);
    expect(line!.length).toBeLessThan(600);
    const [whole] = describeChanges(of("1 == 1"), readPolicy(TEXT).document);
    expect(whole!.length).toBeLessThan(2_000);
  });

  it("are said of every two templates, in lines without a character that nobody sees", () => {
    const folder = new URL("../../../src/domain/policy/templates/", import.meta.url);
    const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
    const documents = files.map((name) => readPolicy(readFileSync(new URL(name, folder), "utf8")).document);
    expect(documents.length).toBeGreaterThan(3);
    for (const before of documents) {
      for (const after of documents) {
        const lines = describeChanges(before, after);
        expect(lines.length === 0).toBe(before === after);
        expect(lines.filter((line) => line.length > 4_000 || /[\p{C}]/u.test(line))).toEqual([]);
      }
    }
  });

  it("are bounded, and say how many are missing", () => {
    const names = Array.from({ length: 150 }, (_, at) => `t${at}`);
    const more = names.map((name) => `    - { platform: shop, name: ${name}, effect: WRITE }\n`).join("");
    const cases = names.map(
      (name) => `  - { name: ${name}, given: { platform: crm, tool: t }, expect: { outcome: FORBID } }\n`,
    );
    const edited = TEXT.replace("  tools:\n", `  tools:\n${more}`) + cases.join("");
    const lines = describeChanges(readPolicy(TEXT).document, readPolicy(edited).document);
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toBe("200 more changes are not shown; 50 of them loosen or may loosen");
    const long = names.map(
      (name) =>
        `    - { platform: shop, name: ${name}, effect: WRITE, required: [${"x".repeat(190)}, ${"y".repeat(190)}, ${"z".repeat(190)}] }\n`,
    );
    const cutShort = changed("  tools:\n", `  tools:\n${long.join("")}`);
    expect(cutShort.join("").length).toBeLessThan(61_000);
    expect(cutShort.at(-1)).toMatch(/^(\d+) more changes are not shown; \1 of them loosen or may loosen$/);
    const required = Array.from({ length: 100 }, (_, at) => `${at}${"n".repeat(190)}`).join(", ");
    expect(changed("[amount, to]", `[${required}]`)[0]!.length).toBeLessThan(4_000);
  });
});
