import { describe, expect, it } from "vitest";
import { runCases } from "../../../src/domain/policy/cases.ts";
import { compilePolicy } from "../../../src/domain/policy/compile.ts";
import { direct } from "../../../src/domain/policy/conditions/direct.ts";
import { parsed } from "../../../src/domain/policy/conditions/parse.ts";
import { readingsOf } from "../../../src/domain/policy/conditions/readings.ts";
import { NO_LINEAGE } from "../../../src/domain/policy/conditions/variables.ts";
import { readPolicy } from "../../../src/domain/policy/document/read.ts";
import { evaluationOf } from "../../../src/domain/policy/evaluate.ts";
import { documentOf } from "../../bench/policy/document.ts";
import { policyOf, situation } from "./situations.ts";

const given = situation({
  platform: "reservations",
  tool: "update_reservation_flights",
  arguments: {
    reservation_id: "NO6JO3",
    cabin: "economy",
    flights: [{ flight_number: "HAT057", date: "2024-05-20" }],
    payment_id: "credit_card_4421486",
  },
});
const document = await documentOf(200);
const policy = compilePolicy(readPolicy(JSON.stringify(document)));

describe("a rule that reads how much evidence there is", () => {
  it("says so in what is recorded", () => {
    const when = "lineage.evidence > 1 && lineage.evidence + 1.0 == 3.0";
    const rules = `  - { id: linked, when: ${JSON.stringify(when)}, permit: true, reason: r }`;
    const lineage = { ...NO_LINEAGE, kinds: ["OBSERVED"], platforms: ["crm"], regions: ["eu"], evidence: 2 };
    const compiled = policyOf(rules);
    const { outcome, recorded } = evaluationOf(compiled.judge(situation({ lineage })), compiled.hash, 1);
    expect(outcome).toBe("PERMIT");
    expect(recorded.text).toContain('"because":{"lineage.evidence":2}');
  });
});

describe("a policy of 200 rules", () => {
  it("has a case for each of them that passes", () => {
    expect(runCases(policy, new Date())).toEqual({ passed: 200, failed: [], untested: [] });
  });

  it("explains each rule, with what it read, whether or not it was evaluated for the tool", () => {
    const { explanation, matched } = policy.judge(given);
    expect(matched.map(({ ruleId }) => ruleId)).toEqual(["writes-one-approver"]);
    expect(explanation.map(({ ruleId }) => ruleId)).toEqual(document.rules.map(({ id }) => id));
    const about = explanation.find(({ reason }) => reason === "Certificates over 1000 need two people of finance.");
    expect(about).toMatchObject({
      matched: false,
      outcome: "REQUIRE",
      values: { "tool.platform": "reservations", "tool.name": "update_reservation_flights" },
    });
  });

  it("does not use the library for a call that none of them is about", () => {
    const tool = { effect: "WRITE", data: [], region: "us" } as const;
    const readings = readingsOf(given, tool, { bound: new Map(), json: {}, problems: new Map() });
    const left = document.rules.filter(({ when = "true" }) => direct(parsed(when).expr)(readings) === undefined);
    expect(left).toEqual([]);
  });

  it("makes an error of a condition about another tool that reads a text that is too long, as before", () => {
    const long = situation({ ...given, arguments: { email: "a".repeat(20_000), amount: "1".repeat(20_000) } });
    const { outcome, explanation } = policy.judge(long);
    expect(outcome).toBe("FORBID");
    const about = explanation.filter(({ error }) => error !== undefined);
    expect(about.length).toBeGreaterThan(25);
    expect(about.every(({ matched }) => matched)).toBe(true);
  });
});
