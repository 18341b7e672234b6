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

/** A document with one rule, whose requirements have these members. */
function requiring(...all: readonly object[]): PolicyDocument {
  const { document } = readPolicy(TEXT);
  const require = all.map((members, at) => ({
    group: at === 0 ? "approvers" : `approvers${at}`,
    needed: 1,
    ...members,
  }));
  return { ...document, rules: [{ id: "w", require, reason: "r" }] };
}

/** A change without its effect, its lines put together. */
function joined(lines: readonly string[]): string {
  return lines.map((line) => /^(?:may loosen: )?(?:\(\d+ of \d+\) )?(.*)$/s.exec(line)?.[1]).join("");
}

describe("the changes of a policy document", () => {
  it.each<readonly [from: string, to: string, ...lines: string[]]>([
    // Rules
    [
      "[{ group: approvers, needed: 2 }, { group: finance, needed: 1 }]",
      "[{ group: approvers, needed: 1 }, { group: finance, needed: 1 }]",
      "loosens: rule large: 2 → 1 of approvers",
    ],
    [
      "require: [{ group: approvers, needed: 1 }]",
      "permit: true",
      "loosens: rule writes: REQUIRE → PERMIT, no longer requires 1 of approvers",
    ],
    ["forbid: true", "permit: true", "loosens: rule never: FORBID → PERMIT"],
    ["forbid: true", "require: [{ group: a, needed: 1 }]", "loosens: rule never: FORBID → REQUIRE 1 of a"],
    ["permit: true", "forbid: true", "rule reads: PERMIT → FORBID"],
    [", { group: finance, needed: 1 }]", "]", "loosens: rule large: no longer requires 1 of finance"],
    [
      "[{ group: approvers, needed: 1 }]",
      "[{ group: friends, needed: 3 }]",
      "loosens: rule writes: no longer requires 1 of approvers",
      "rule writes: also requires 3 of friends",
    ],
    ["[{ group: approvers, needed: 1 }]", "[{ group: approvers, needed: 2 }]", "rule writes: 1 → 2 of approvers"],
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
    [", tools: [{ platform: shop }] }", " }", "may loosen: measure amount: platform shop → each call that has it"],
    [
      "[{ platform: shop }]",
      "[{ platform: shop, name: send }]",
      "may loosen: measure amount: tools: tool send of platform shop added, platform shop removed",
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
      "loosens: rule writes: REQUIRE → PERMIT, no longer requires 1 of approvers",
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
      catalog: {
        platforms: { ...catalog.platforms, crm: { region: "eu", untrusted: true as const } },
        tools: catalog.tools,
      },
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
      "may loosen: rule writes, of approvers: floor 1 → 2",
    );
    expect(describeChanges(document, asked({ role: "admin" }))).toContain(
      'may loosen: rule writes, of approvers: role none → "admin"',
    );
  });

  it.each<readonly [before: object, after: object, lines: readonly string[]]>([
    [{ assurance: "MFA" }, { assurance: "KEY" }, [": with assurance MFA → with assurance KEY"]],
    [{ assurance: "MFA" }, { assurance: "CHAT" }, ["loosens: with assurance MFA → with assurance CHAT"]],
    [{ assurance: "CHAT" }, {}, ["loosens: removed: with assurance CHAT"]],
    [{}, { note: true }, [": added: with a note"]],
    [{ note: true }, {}, ["loosens: removed: with a note"]],
    [
      { approver: { roles: ["lead", "boss"] } },
      { approver: { regions: ["eu"] } },
      ["loosens: removed: who has a role of boss, lead", ": added: who is in a region of eu"],
    ],
    [{ approver: { roles: ["lead"] } }, {}, ["loosens: removed: who has a role of lead"]],
    [{ approver: { roles: ["a", "b"] } }, { approver: { roles: ["b", "a"] } }, []],
    [
      { approver: { roles: ["a", "b"], regions: ["eu"] } },
      { approver: { roles: ["b", "c d"], regions: ["eu", "us"] } },
      [
        'may loosen: roles of which an approver has one: "c d" added, a removed',
        "may loosen: regions of which an approver is in one: us added",
      ],
    ],
    [{}, { ownerConfirms: true }, ["loosens: added: or the person the agent acts for"]],
    [{ ownerConfirms: true }, {}, [": removed: or the person the agent acts for"]],
    [{ ttl: "2h" }, { ttl: "1d" }, ["may loosen: within 2h → within 1d"]],
    [{}, { escalate: { after: "30m", to: "chiefs" } }, ["loosens: added: after 30m also of chiefs"]],
    [{ escalate: { after: "30m", to: "chiefs" } }, {}, [": removed: after 30m also of chiefs"]],
    [{ note: true }, { note: true, ownerConfirms: true }, ["loosens: added: or the person the agent acts for"]],
    [{ note: "odd" }, { note: true }, ['may loosen: note "odd" → with a note']],
  ])("say of a requirement that has %j and then %j what that does", (before, after, expected) => {
    const lines = expected.map((line) => {
      const [, effect = "", text = ""] = /^(.*?): (.*)$/.exec(line) ?? [];
      return `${effect === "" ? "" : `${effect}: `}rule w, of approvers: ${text}`;
    });
    expect(describeChanges(requiring(before), requiring(after))).toEqual(lines);
  });

  it("show which of twenty roles an approver may have now", () => {
    const roles = Array.from({ length: 20 }, (_, at) => `role${String(at).padStart(2, "0")}`);
    const approver = (last: string) => requiring({ approver: { roles: [...roles.slice(0, 19), last] } });
    expect(describeChanges(approver("role19"), approver("zz-everybody"))).toEqual([
      "may loosen: rule w, of approvers: roles of which an approver has one: zz-everybody added, role19 removed",
    ]);
    const [rule] = requiring({ approver: { roles } }).rules;
    const { document } = readPolicy(TEXT);
    const [added] = describeChanges(document, { ...document, rules: [...document.rules, rule!] });
    expect(added).toContain(roles.join(", "));
  });

  it("show what is required now, however long what was required is", () => {
    const long = (letter: string) => Array.from({ length: 20 }, (_, at) => `${letter}${at}`.padEnd(200, "x"));
    const many = (letter: string) => ({ approver: { roles: long(letter) } });
    const old = requiring(many("a"), many("b"));
    const now = requiring(many("a"), { approver: { roles: [...long("b").slice(1), "anybody"] } });
    expect(describeChanges(old, now)).toEqual([
      `may loosen: rule w, of approvers1: roles of which an approver has one: anybody added, ${long("b")[0]} removed`,
    ]);
    const [permit] = describeChanges(old, { ...old, rules: [{ id: "w", permit: true, reason: "r" }] });
    expect(permit).toMatch(/^loosens: \(1 of 3\) rule w: REQUIRE → PERMIT, no longer requires 1 of approvers, who /);
    // A list that takes more than one line is shown whole.
    const lines = describeChanges(old, requiring(many("c"), many("b")));
    expect(lines.length).toBeGreaterThan(1);
    const parts = lines.map((line) => /^may loosen: \(\d of 3\) (.*)$/.exec(line)?.[1]).join("");
    for (const role of [...long("a"), ...long("c")]) expect(parts).toContain(role);
  });

  it("tell apart tools and platforms with a slash in their names", () => {
    const { document } = readPolicy(TEXT);
    const of = (tool: { platform: string; name?: string }) => ({
      ...document,
      measures: [{ name: "m", path: "n", tools: [tool] }],
    });
    expect(describeChanges(of({ platform: "a", name: "b/c" }), of({ platform: "a/b", name: "c" }))).toEqual([
      "may loosen: measure m: tools: tool c of platform a/b added, tool b/c of platform a removed",
    ]);
    expect(describeChanges(of({ platform: "a", name: "b" }), of({ platform: "a/b" }))).toEqual([
      "may loosen: measure m: tools: platform a/b added, tool b of platform a removed",
    ]);
  });

  it("say that proposals are no longer recorded for windows, or newly", () => {
    const { measures: _, ...without } = readPolicy(TEXT).document;
    const none = { ...without, measures: [] };
    expect(describeChanges(none, without)).toEqual([
      "may loosen: measures no longer declared: without a window in a rule, proposals are not recorded for windows",
    ]);
    expect(describeChanges(without, none)).toEqual([
      "may loosen: measures declared: proposals are recorded for windows, also without a window in a rule",
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
    const whole = joined(describeChanges(of("1 == 1"), readPolicy(TEXT).document));
    expect(whole).toContain(`${long("1 == 1").trim()}" → "number(args.amount) > 200.0"`);
  });

  it("show the middle of a long condition of which the beginning and the end change as well", () => {
    const of = (first: string, number: number, last: string) => {
      const padding = "args.x == 1 || ".repeat(60);
      const when = `${first} || ${padding}args.amount < ${number} || ${padding}${last}`;
      expect(when.length).toBeGreaterThan(1_800);
      return readPolicy(TEXT.replace("number(args.amount) > 200.0", () => when)).document;
    };
    const text = joined(describeChanges(of("args.a == 1", 200, "args.a == 1"), of("args.b == 1", 2_000_000, "false")));
    expect(text).toMatch(
      /^rule large: when "args\.a .* args\.amount < 200 .*" → "args\.b .* args\.amount < 2000000 .*"/,
    );
  });

  it("show all of the longest condition, in which each character has to be written out, and part no character", () => {
    const when = (unit: string, end: string) => `"${unit.repeat(2_040)}${end}" == ""`;
    const of = (condition: string) => {
      const [rule] = requiring({}).rules;
      return { ...requiring({}), rules: [{ ...rule!, when: condition }] };
    };
    const lines = describeChanges(of(when("\u{e0041}", "old")), of(when("\u{e0042}", "new")));
    expect(lines.filter((line) => line.length > 3_900 || !line.isWellFormed())).toEqual([]);
    expect(joined(lines)).toMatch(/^rule w: when "\\"(\\udb40\\udc41)+old.* → "\\"(\\udb40\\udc42)+new\\" == \\"\\""/);
    const emoji = joined(describeChanges(of(when("😀", "xold")), of(when("😀", "xnew"))));
    expect(emoji).toMatch(/^rule w: when "😀+xold.* → "😀+xnew/u);
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
    const several = changed("[amount, to]", `[${required}]`);
    expect(several.filter((line) => line.length > 4_000)).toEqual([]);
    expect(several.join("")).not.toContain("more characters");
  });
});
