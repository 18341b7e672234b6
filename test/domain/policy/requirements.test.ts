import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { covers } from "../../../src/domain/actions/decide/covers.ts";
import { runCases } from "../../../src/domain/policy/cases.ts";
import type { Requirement } from "../../../src/domain/policy/evaluate.ts";
import { areAlike, type RequiredApprovals, requirementsAt, unionOf } from "../../../src/domain/policy/requirements.ts";
import { type Approver, suffices } from "../../../src/facts/quorum.ts";
import { policyOf, situation } from "./situations.ts";

const NOW = new Date("2026-11-26T12:00:00Z");
const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1_000).toISOString().replace("Z", "000Z");

const FILTERS = [[{ roles: ["a"] }], [{ regions: ["eu"] }], [{ roles: ["a", "b"], regions: ["eu", "us"] }]];
const requirement: fc.Arbitrary<RequiredApprovals> = fc.record({
  id: fc.constantFrom("one", "two", "three"),
  group: fc.constantFrom("x", "y"),
  needed: fc.integer({ min: 1, max: 3 }),
  assurance: fc.constantFrom(undefined, "CHAT", "SESSION", "MFA", "KEY"),
  note: fc.constantFrom(undefined, true),
  approver: fc.constantFrom(undefined, ...FILTERS),
  ownerConfirms: fc.constantFrom(undefined, true),
  ttl: fc.constantFrom(undefined, 60, 600),
  escalate: fc.constantFrom(undefined, { after: 10, to: "z" }, { after: 20, to: "z" }, { after: 10, to: "w" }),
});
const approver: fc.Arbitrary<Approver> = fc.record({
  groups: fc.subarray(["x", "y", "z", "w"]),
  roles: fc.subarray(["a", "b"]),
  region: fc.constantFrom(undefined, "eu", "us"),
  isBehind: fc.boolean(),
  at: fc.constantFrom(undefined, later(0), later(10), later(15), later(30)),
  assurance: fc.constantFrom("CHAT", "SESSION", "MFA", "KEY"),
  hasNote: fc.boolean(),
});
const SEED = { seed: 19, numRuns: 2_000 };
const some = fc.array(requirement, { minLength: 1, maxLength: 5 });

describe("the strictest union of requirements", () => {
  it("counts no approval that one of them would not count, and asks as many of each group as any", () => {
    fc.assert(
      fc.property(some, approver, (all, one) => {
        for (const united of requirementsAt(unionOf(all), NOW)) {
          const parts = requirementsAt(
            all.filter(({ group }) => group === united.group),
            NOW,
          );
          expect(united.needed).toBe(Math.max(...parts.map(({ needed }) => needed)));
          expect(suffices(united, one)).toBe(suffices(united, one) && parts.every((part) => suffices(part, one)));
          const shortest = Math.min(...parts.map(({ ttl = Number.POSITIVE_INFINITY }) => ttl));
          expect(united.ttl ?? Number.POSITIVE_INFINITY).toBe(shortest);
          // So what people were asked for before a policy got looser is good afterwards.
          for (const part of parts) expect(covers(united, part)).toBe(true);
        }
      }),
      SEED,
    );
  });

  it("is one requirement a group, whatever the order, and however they are grouped", () => {
    fc.assert(
      fc.property(some, some, fc.nat(), (all, others, turn) => {
        const at = turn % all.length;
        const united = unionOf([...all, ...others]);
        expect(new Set(united.map(({ group }) => group)).size).toBe(united.length);
        expect(unionOf([...others, ...all.slice(at).reverse(), ...all.slice(0, at)])).toEqual(united);
        expect(unionOf([...unionOf(all), ...unionOf(others)])).toEqual(united);
      }),
      SEED,
    );
  });

  it("of one is that one", () => {
    const one = { id: "r", group: "x", needed: 1, ownerConfirms: true, escalate: { after: 10, to: "z" } } as const;
    expect(unionOf([one])).toEqual([one]);
    expect(requirementsAt([one], NOW)).toEqual([
      { id: "r", group: "x", needed: 1, ownerConfirms: true, escalation: { at: later(10), group: "z" } },
    ]);
  });
});

const rule = (members: string) => `  - { id: r, require: [{ group: x, needed: 1, ${members} }], reason: r }`;

describe("a requirement in a document", () => {
  it.each([
    ["assurance: HIGH", "rules.0.require.0.assurance"],
    ["note: false", "rules.0.require.0.note"],
    ["approver: {}", "has to have roles or regions"],
    ["approver: { roles: [] }", "rules.0.require.0.approver.roles"],
    ["approver: { regions: [EU] }", "rules.0.require.0.approver.regions.0"],
    ["approver: { people: [ada] }", "rules.0.require.0.approver"],
    ["ownerConfirms: false", "rules.0.require.0.ownerConfirms"],
    ["ttl: 0s", "rules.0.require.0.ttl"],
    ["ttl: 15", "rules.0.require.0.ttl"],
    ["ttl: 1.5h", "has to be a number with s, m, h or d"],
    ["ttl: 31d", "has to be at most 30d"],
    ["escalate: { after: 15m }", "rules.0.require.0.escalate.to"],
    ["escalate: { after: 15m, to: x }", "is the group that is asked anyway"],
    ["ttl: 15m, escalate: { after: 900s, to: y }", "has to be shorter than ttl"],
  ])("is refused with %s", (members, message) => {
    expect(() => policyOf(rule(members))).toThrow(message);
  });

  it("is what a proposal is asked, from its time on", () => {
    const members =
      "assurance: MFA, note: true, approver: { roles: [a], regions: [eu] }, ownerConfirms: true, ttl: 2h, escalate: { after: 15m, to: y }";
    const { requirements } = policyOf(rule(members)).judge(situation({ now: NOW }));
    expect(requirements).toEqual([
      {
        id: "r",
        group: "x",
        needed: 1,
        assurance: "MFA",
        note: true,
        approver: [{ roles: ["a"], regions: ["eu"] }],
        ownerConfirms: true,
        ttl: 7_200,
        escalation: { at: later(900), group: "y" },
      },
    ]);
  });

  it("is compared with what a case says of it, and only with that", () => {
    const asks = "assurance: MFA, ttl: 2h, escalate: { after: 15m, to: y }";
    const failed = (expected: string) =>
      runCases(
        policyOf(
          `${rule(asks)}\ncases:\n  - { name: c, given: { platform: vouchers, tool: send }, expect: { outcome: REQUIRE, requirements: [${expected}] } }`,
        ),
        NOW,
      ).failed.map(({ problem }) => problem);
    expect(failed("{ group: x, needed: 1 }")).toEqual([]);
    expect(failed("{ group: x, needed: 1, assurance: MFA, ttl: 120m, escalate: { after: 900s, to: y } }")).toEqual([]);
    for (const other of ["assurance: KEY", "note: true", "ttl: 1h", "escalate: { after: 10m, to: y }"]) {
      expect(failed(`{ group: x, needed: 1, ${other} }`)).toEqual([
        expect.stringContaining("required are 1 of x with"),
      ]);
    }
    expect(failed("{ group: x, needed: 2 }")).toHaveLength(1);
    expect(failed("{ group: x, needed: 1 }, { group: y, needed: 1 }")).toHaveLength(1);
  });
});

describe("requirements of two evaluations", () => {
  const since = new Date("2026-01-01T00:00:00Z");
  const asked: Requirement = { id: "a", group: "approvers", needed: 2 };
  const at = (minutes: number) => new Date(since.getTime() + minutes * 60_000).toISOString();

  it.each([
    ["ids", asked, { ...asked, id: "b" }, true],
    ["numbers", asked, { ...asked, needed: 3 }, false],
    ["a role in place of a group", asked, { ...asked, role: true }, false],
    ["assurance", asked, { ...asked, assurance: "MFA" }, false],
    ["a note", asked, { ...asked, note: true }, false],
    ["time to live", asked, { ...asked, ttl: 60 }, false],
    ["filters", asked, { ...asked, approver: [{ regions: ["eu"] }] }, false],
    ["the owner", asked, { ...asked, ownerConfirms: true }, false],
    ["an escalation", asked, { ...asked, escalation: { at: at(15), group: "leads" } }, false],
    [
      "its group",
      { ...asked, escalation: { at: at(15), group: "x" } },
      { ...asked, escalation: { at: at(15), group: "y" } },
      false,
    ],
    [
      "its time",
      { ...asked, escalation: { at: at(15), group: "x" } },
      { ...asked, escalation: { at: at(20), group: "x" } },
      false,
    ],
    [
      "a second of it",
      { ...asked, escalation: { at: at(15), group: "x" } },
      { ...asked, escalation: { at: at(15.01), group: "x" } },
      true,
    ],
    [
      "nobody being known",
      { ...asked, unreached: true, escalation: { at: at(0), group: "x" } },
      { ...asked, escalation: { at: at(15), group: "x" } },
      true,
    ],
  ] as const)("differ in %s, or are alike", (_, one, other, alike) => {
    expect(areAlike([one], [other as Requirement], since)).toBe(alike);
    expect(areAlike([other as Requirement], [one], since)).toBe(alike);
  });

  it("are alike in any order, and not with one more", () => {
    const second: Requirement = { id: "c", group: "finance", needed: 1 };
    expect(areAlike([asked, second], [second, asked], since)).toBe(true);
    expect(areAlike([asked, second], [asked], since)).toBe(false);
  });
});
