import { describe, expect, it } from "vitest";
import { runCases } from "../../../src/domain/policy/cases.ts";
import { type CompiledPolicy, compilePolicy } from "../../../src/domain/policy/compile.ts";
import type { Situation } from "../../../src/domain/policy/conditions/variables.ts";
import { PolicyDocumentError } from "../../../src/domain/policy/document/problems.ts";
import { readPolicy } from "../../../src/domain/policy/document/read.ts";
import { addDecimals, decimalOf } from "../../../src/domain/policy/windows/decimal.ts";
import { windowOf } from "../../../src/domain/policy/windows/window.ts";
import { policyOf, situation } from "./situations.ts";

const AMOUNT = `
measures:
  - { name: amount, path: amount }
  - { name: total, path: order.total, tools: [{ platform: vouchers, name: send }] }
`;
const rule = (when: string, outcome = "forbid: true") =>
  `  - { id: limit, when: ${JSON.stringify(when)}, ${outcome}, reason: r }`;
const withMeasures = (when: string, outcome?: string) => policyOf(rule(when, outcome), AMOUNT);

function complaintOf(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    if (error instanceof PolicyDocumentError) return error.message;
    throw error;
  }
  return "none";
}

describe("a window of a condition", () => {
  it.each([
    ["count", ["1h"], 'count("1h")', 3_600],
    ["count", ["90s", "person"], 'count("90s", "person")', 90],
    ["count", ["1h", "agent"], 'count("1h")', 3_600],
    ["count", ["31d", "organization", "tool"], 'count("31d", "organization", "tool")', 2_678_400],
    ["count", ["15m", "agent", "platform"], 'count("15m", "agent", "platform")', 900],
    ["sum", ["24h", "amount"], 'sum("24h", "amount")', 86_400],
    ["sum", ["1d", "amount", "organization"], 'sum("1d", "amount", "organization")', 86_400],
    ["sum", ["744h", "amount", "person", "tool"], 'sum("744h", "amount", "person", "tool")', 2_678_400],
  ])("%s of %j is %s", (name, args, text, seconds) => {
    expect(windowOf(name, args, new Set(["amount"]))).toMatchObject({ text, seconds });
  });

  it.each([
    ["no arguments", "count() > 1", "count takes a duration"],
    ["too many", 'count("1h", "agent", "tool", "x") > 1', "count takes a duration"],
    ["a sum without a measure", 'sum("1h") > 1.0', "sum takes a duration and a measure"],
    ["a duration that is none", 'count("an hour") > 1', '"an hour" is no duration'],
    ["a duration without a unit", 'count("60") > 1', "is no duration"],
    ["a duration of nothing", 'count("0h") > 1', "is no duration"],
    ["a negative duration", 'count("-1h") > 1', "is no duration"],
    ["a part of an hour", 'count("0.5h") > 1', "is no duration"],
    ["32 days", 'count("32d") > 1', 'is no duration: a number and s, m, h or d, up to "31d"'],
    ["more hours than 31 days have", 'count("745h") > 1', "is no duration"],
    ["more than a number", 'count("99999999999999999999s") > 1', "is no duration"],
    ["an unknown measure", 'sum("1h", "cost") > 1.0', 'no measure "cost"; it has "amount", "total"'],
    ["an unknown scope", 'count("1h", "team") > 1', '"team" is no scope'],
    ["a scope in other letters", 'count("1h", "Agent") > 1', "is no scope"],
    ["an unknown likeness", 'count("1h", "agent", "region") > 1', '"region" is nothing that proposals share'],
    ["a variable as duration", "count(args.within) > 1", "are texts that are written out"],
    ["a number as duration", "count(3600) > 1", "are texts that are written out"],
    ["texts put together", 'count("1" + "h") > 1', "are texts that are written out"],
    ["a measure that is chosen", 'sum("1h", args.measure) > 1.0', "are texts that are written out"],
    ["a choice of durations", 'count(tool.name == "send" ? "1h" : "2h") > 1', "are texts that are written out"],
    ["a window as a method", '"1h".count() > 1', "there is no function count"],
    ["the values themselves", 'windows["x"] > 1', "there is no variable windows"],
  ])("is refused with %s", (_, when, complaint) => {
    const message = complaintOf(() => withMeasures(when));
    expect(message).toContain(complaint);
    expect(message).toMatch(/^rules\.0\.when at line \d+, column \d+: .* \(character \d+ of the condition\)$/);
  });

  it.each([
    ["twice", "  - { name: a, path: a }\n  - { name: a, path: b }", "measures.1.name at line"],
    ["without a path", "  - { name: a }", "measures.0.path"],
    ["with an empty path", "  - { name: a, path: '' }", "measures.0.path"],
    ["with an empty member in its path", "  - { name: a, path: a..b }", "measures.0.path"],
    ["with a name that is none", "  - { name: __proto__, path: a }", "measures.0.name"],
    ["of a tool that is not listed", "  - { name: a, path: a, tools: [{ platform: crm, name: x }] }", "tool x"],
    ["of a platform that is not listed", "  - { name: a, path: a, tools: [{ platform: x }] }", "platform x"],
    ["of no tool", "  - { name: a, path: a, tools: [] }", "measures.0.tools"],
    ["nine of them", [..."abcdefghi"].map((name) => `  - { name: ${name}, path: a }`).join("\n"), "measures"],
  ])("is refused over a measure %s", (_, measures, complaint) => {
    expect(complaintOf(() => policyOf("", `measures:\n${measures}\n`))).toContain(complaint);
  });
});

type Row = readonly [
  name: string,
  when: string,
  matches: boolean | "error",
  before: Readonly<Record<string, string>> | undefined,
  changed?: Partial<Situation>,
];
const SUM = 'sum("24h", "amount")';
const COUNT = 'count("1h")';

const ROWS: readonly Row[] = [
  ["the first proposal counts itself", `${COUNT} == 1`, true, { [COUNT]: "0" }],
  ["the limit", `${COUNT} > 3`, false, { [COUNT]: "2" }],
  ["one more", `${COUNT} > 3`, true, { [COUNT]: "3" }],
  ["a sum with the amount", `${SUM} > 1000.0`, false, { [SUM]: "700" }],
  ["a sum beyond", `${SUM} > 1000.0`, true, { [SUM]: "700.01" }],
  ["a sum compared with an integer", `${SUM} > 1000`, true, { [SUM]: "700.01" }],
  ["an amount as a text", `${SUM} >= 12.5`, true, { [SUM]: "0" }, { arguments: { amount: "12.50" } }],
  ["no amount", `${SUM} > 0.0`, false, { [SUM]: "0" }, { arguments: {} }],
  ["an amount that is a text", `${SUM} > 1000.0`, "error", { [SUM]: "0" }, { arguments: { amount: "abc" } }],
  ["an amount that is null", `${SUM} > 1000.0`, "error", { [SUM]: "0" }, { arguments: { amount: null } }],
  ["an amount that is an object", `${SUM} > 1000.0`, "error", { [SUM]: "0" }, { arguments: { amount: { of: 1 } } }],
  ["a negative amount", `${SUM} > 1000.0`, "error", { [SUM]: "0" }, { arguments: { amount: -500 } }],
  ["NaN", `${SUM} > 1000.0`, "error", { [SUM]: "0" }, { arguments: { amount: "NaN" } }],
  ["an amount of many digits", `${SUM} > 1.0`, "error", { [SUM]: "0" }, { arguments: { amount: "9".repeat(5_000) } }],
  ["hexadecimal digits", `${SUM} > 1000.0`, "error", { [SUM]: "0" }, { arguments: { amount: "0x10" } }],
  ["a list of arguments", `${SUM} > 0.0`, false, { [SUM]: "0" }, { arguments: [{ amount: 5 }] }],
  ["a measure of one tool that is missing", 'sum("1h", "total") > 0.0', "error", { 'sum("1h", "total")': "0" }],
  [
    "a measure within an object",
    'sum("1h", "total") == 7.0',
    true,
    { 'sum("1h", "total")': "2" },
    { arguments: { order: { total: 5 } } },
  ],
  ["a bad amount that does not matter", `${SUM} > 1.0 && false`, false, {}, { arguments: { amount: "abc" } }],
  ["a window that nobody read", `${COUNT} > 3`, "error", undefined],
  ["a window of another spelling", 'count("60m") > 3', "error", { [COUNT]: "5" }],
  ["two windows", `${COUNT} > 1 && ${SUM} > 1.0`, true, { [COUNT]: "3", [SUM]: "3" }],
  ["a window within a list that is gone through", `args.items.exists(i, ${COUNT} > 3)`, true, { [COUNT]: "5" }],
];

describe("a policy with windows", () => {
  const rows = ROWS.map(([name, when, matches, before, changed = {}]) => ({ name, when, matches, before, changed }));
  it.each(rows)("evaluates $name", ({ when, matches, before, changed }) => {
    const of = situation({ ...changed, windows: before && new Map(Object.entries(before)) });
    const [explained] = withMeasures(when).judge(of).explanation;
    expect({ matched: explained?.matched, failed: explained?.error !== undefined }).toEqual(
      matches === "error" ? { matched: true, failed: true } : { matched: matches, failed: false },
    );
    // A rule that would permit does not, where it cannot be evaluated.
    const [permit] = withMeasures(when, "permit: true").judge(of).explanation;
    expect(permit?.matched).toBe(matches === true);
  });

  it("says what windows were, and why one has no value, without the value", () => {
    const both = withMeasures(`${COUNT} > 3 && ${SUM} > 1000.0`);
    const windows = new Map([
      [COUNT, "3"],
      [SUM, "900.1"],
    ]);
    expect(both.judge(situation({ windows })).explanation[0]).toMatchObject({
      values: { [COUNT]: 4, [SUM]: "1200.1" },
    });
    const secret = both.judge(situation({ windows, arguments: { amount: "my secret" } })).explanation[0];
    expect(secret?.error).toMatch(/^the measure amount needs a number from 0 as amount/);
    expect(JSON.stringify(secret)).not.toContain("secret");
  });

  it("names the windows that matter to a situation, and no others", () => {
    const needed = (policy: CompiledPolicy, changed: Partial<Situation> = {}) =>
      policy.windows(situation(changed)).map(({ text }) => text);
    expect(needed(withMeasures(`tool.effect == "WRITE" && ${COUNT} > 3`))).toEqual([COUNT]);
    expect(needed(withMeasures(`${COUNT} > 3 && tool.effect == "READ"`))).toEqual([]);
    expect(needed(withMeasures(`${COUNT} > 3 || ${SUM} > 5.0 || ${COUNT} < 0`))).toEqual([COUNT, SUM]);
    expect(needed(withMeasures("args.amount > 5"))).toEqual([]);
    // What one call says does not stay for the next.
    const windows = new Map([[COUNT, "0"]]);
    expect(needed(withMeasures(`${COUNT} > 3`), { windows })).toEqual([COUNT]);
  });

  it("measures what is recorded, by tool", () => {
    const policy = withMeasures(`${COUNT} > 3`);
    const windows = new Map([[COUNT, "0"]]);
    const measured = (changed: Partial<Situation>) => policy.judge(situation({ windows, ...changed })).measures;
    expect(measured({ arguments: { amount: "250.00", order: { total: 0.1 } } })).toEqual({
      amount: "250.00",
      total: "0.1",
    });
    const crm = { platform: "crm", tool: "get_user", arguments: { amount: 5, order: { total: 7 } } };
    expect(measured(crm)).toEqual({ amount: "5" });
    // It would be the fourth, and is forbidden.
    expect(measured({ windows: new Map([[COUNT, "3"]]) })).toBeUndefined();
    expect(policyOf("").judge(situation()).measures).toBeUndefined();
    expect(policyOf("", "measures: []\n").judge(situation()).measures).toEqual({});
  });
});

describe("decimals", () => {
  it.each([
    [0, "0"],
    [-0, "0"],
    [300, "300"],
    [0.1, "0.1"],
    [0.1 + 0.2, "0.30000000000000004"],
    [1e-7, "0.0000001"],
    [1.5e-9, "0.0000000015"],
    ["012.50", "012.50"],
    [1e-19, undefined],
    [1e21, undefined],
    [1e18, undefined],
    [-1, undefined],
    ["-1", undefined],
    ["1e3", undefined],
    ["1.", undefined],
    [" 1", undefined],
    ["", undefined],
    [true, undefined],
    [[1], undefined],
  ])("%j is %s", (value, decimal) => expect(decimalOf(value)).toBe(decimal));

  it.each([
    ["1", "2", "3"],
    ["0.1", "0.2", "0.3"],
    ["0.05", "1", "1.05"],
    ["999999999999999999.999999999999999999", "0.000000000000000001", "1000000000000000000.000000000000000000"],
    ["0.001", "0.009", "0.010"],
  ])("%s and %s are %s", (one, other, sum) => expect(addDecimals(one, other)).toBe(sum));
});

describe("cases", () => {
  const document = (windows: string) => `policy: 1
catalog: { platforms: { crm: { region: eu } }, tools: [{ platform: crm, name: pay, effect: WRITE }] }
measures: [{ name: amount, path: amount }]
rules:
  - { id: budget, when: 'sum("24h", "amount") > 1000.0', forbid: true, reason: r }
  - { id: rest, when: 'sum("24h", "amount") <= 1000.0', permit: true, reason: r }
cases:
  - { name: beyond, given: { platform: crm, tool: pay, arguments: { amount: 200 }, windows: { ${windows} } }, expect: { outcome: FORBID, rules: [budget] } }
  - { name: before, given: { platform: crm, tool: pay, arguments: { amount: 200 } }, expect: { outcome: PERMIT, rules: [rest] } }
`;
  const run = (windows: string) => runCases(compilePolicy(readPolicy(document(windows))), new Date());

  it("give what windows had before, in any spelling, and 0 without a word", () => {
    const good = { passed: 2, failed: [], untested: [] };
    expect(run(`'sum("24h","amount")': 900`)).toEqual(good);
    expect(run(`'sum( "24h", "amount", "agent" )': "800.01"`)).toEqual(good);
    expect(run(`'sum("24h","amount")': 800`).failed).toHaveLength(1);
  });

  it.each([
    ["a window that no rule has", `'sum("1h","amount")': 900`, "no rule has the window"],
    ["a window of an unknown measure", `'sum("24h","cost")': 900`, "no measure"],
    ["something else", `'amount': 900`, "is no window"],
    ["a syntax error", `'sum(': 900`, "cases.0.given.windows"],
    ["a negative number", `'sum("24h","amount")': -900`, "number from 0"],
    ["a text that is no number", `'sum("24h","amount")': a lot`, "number from 0"],
    ["one window twice", `'sum("24h","amount")': 1, 'sum("24h", "amount")': 2`, "a second time"],
  ])("are refused with %s", (_, windows, complaint) => {
    expect(complaintOf(() => run(windows))).toContain(complaint);
  });
});
