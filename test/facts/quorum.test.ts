import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSequelCheck, type Sequel } from "../../src/facts/check/sequel.ts";
import { countApprovals, isEnough, type NeededApprovals, Seats, suffices } from "../../src/facts/quorum.ts";
import { VOCABULARY } from "../../src/facts/registry.ts";

/** How many places can be taken at most, by trying everything. */
function most(requirements: readonly NeededApprovals[], voters: readonly (readonly string[])[]): number {
  const [first, ...others] = voters;
  if (first === undefined) return 0;
  const seated = requirements.flatMap((one, at) => {
    if (!first.includes(one.group) || one.needed === 0) return [];
    return [1 + most(requirements.with(at, { ...one, needed: one.needed - 1 }), others)];
  });
  return Math.max(most(requirements, others), ...seated);
}

const GROUP = fc.constantFrom("a", "b", "c", "d");
const REQUIREMENTS = fc.array(fc.record({ group: GROUP, needed: fc.integer({ min: 1, max: 2 }) }), { maxLength: 4 });
const VOTERS = fc.array(fc.array(GROUP, { maxLength: 3 }), { maxLength: 6 });

describe("approvals", () => {
  it("take as many places as possible, each of a requirement that the person is asked by", () => {
    fc.assert(
      fc.property(REQUIREMENTS, VOTERS, (requirements, voters) => {
        const have = countApprovals(
          requirements,
          voters.map((groups) => ({ groups })),
        );
        for (const [at, { needed }] of requirements.entries()) expect(have[at]).toBeLessThanOrEqual(needed);
        expect(have.reduce((sum, one) => sum + one, 0)).toBe(most(requirements, voters));
        const seats = new Seats(requirements);
        for (const groups of voters) seats.add({ groups });
        expect(seats.isEnough).toBe(have.every((one, at) => one === requirements[at]?.needed));
      }),
      { seed: 41, numRuns: 2_000 },
    );
  });

  it("take places of the requirements that they count for, whatever these ask", () => {
    const requirement = fc.record({
      group: GROUP,
      needed: fc.integer({ min: 1, max: 2 }),
      assurance: fc.constantFrom(undefined, "SESSION", "MFA", "KEY"),
      note: fc.boolean(),
      approver: fc.constantFrom(undefined, [{ roles: ["r"] }], [{ regions: ["eu"] }]),
      ownerConfirms: fc.boolean(),
      escalation: fc.constantFrom(undefined, { at: "2", group: "c" }),
    });
    const voter = fc.record({
      groups: fc.array(GROUP, { maxLength: 3 }),
      roles: fc.constantFrom([], ["r"]),
      region: fc.constantFrom(undefined, "eu"),
      isBehind: fc.boolean(),
      at: fc.constantFrom(undefined, "1", "3"),
      assurance: fc.constantFrom("CHAT", "SESSION", "MFA", "KEY"),
      hasNote: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(requirement, { maxLength: 4 }),
        fc.array(voter, { maxLength: 5 }),
        (requirements, voters) => {
          // Each requirement as a group of its own, and everybody in those that they count for.
          const plain = requirements.map(({ needed }, n) => ({ group: `${n}`, needed }));
          const fits = voters.map((one) => requirements.flatMap((all, n) => (suffices(all, one) ? [`${n}`] : [])));
          const taken = countApprovals(requirements, voters).reduce((sum, have) => sum + have, 0);
          expect(taken).toBe(most(plain, fits));
        },
      ),
      { seed: 47, numRuns: 2_000 },
    );
  });

  it("are enough only if they are without any one by somebody who is unknown", () => {
    const voters = fc.array(fc.record({ groups: fc.array(GROUP, { maxLength: 3 }), isUnknown: fc.boolean() }), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(REQUIREMENTS, voters, (requirements, all) => {
        const places = requirements.reduce((sum, { needed }) => sum + needed, 0);
        const sets = [all, ...all.flatMap(({ isUnknown }, at) => (isUnknown ? [all.toSpliced(at, 1)] : []))];
        const expected = sets.every(
          (some) =>
            most(
              requirements,
              some.map(({ groups }) => groups),
            ) === places,
        );
        expect(isEnough(requirements, all)).toBe(expected);
      }),
      { seed: 43, numRuns: 2_000 },
    );
  });

  it("are assigned along chains that are longer than any stack", () => {
    const length = 20_000;
    const seats = new Seats(Array.from({ length }, (_, n) => ({ group: `g${n}`, needed: 1 })));
    for (let n = 0; n + 1 < length; n += 1) seats.add({ groups: [`g${n}`, `g${n + 1}`] });
    expect(seats.isEnough).toBe(false);
    seats.add({ groups: ["g0"] });
    expect(seats.isEnough).toBe(true);
  });

  it("are looked at once each, however many there are of an action, and however much is required", () => {
    const check = createSequelCheck(VOCABULARY);
    const groups = Array.from({ length: 5_000 }, (_, n) => `g${n}`);
    let looked = 0;
    const maker = {
      actor: { id: "agent", kind: "AGENT" },
      policy: { requirements: [{ group: "busy", needed: 3 }, ...groups.map((group) => ({ group, needed: 1 }))] },
    };
    const votes: Sequel["votes"][number][] = [];
    for (let n = 0; n < 20_000; n += 1) {
      const actor = {
        id: `p${n}`,
        kind: "HUMAN",
        get groups() {
          looked += 1;
          return ["busy"];
        },
      };
      const body = { type: "ACTION_APPROVED", actor };
      const state = (approvals: number) => ({ status: "PENDING", approvals });
      check({ kind: "ACTION", body, before: state(n), after: state(n + 1), maker, votes, recordedAt: "2026" });
      votes.push(body);
    }
    // Whether they may approve, and what place they take.
    expect(looked).toBe(2 * votes.length);
  });
});

describe("requirements of a role", () => {
  const requirements = [
    { id: "floor", group: "admin", role: true, needed: 1, requesterAfter: "2026-01-02T00:00:00.000000Z" },
  ];
  const check = createSequelCheck(VOCABULARY);
  const maker = { type: "ACTION_PROPOSED", actor: { id: "ada", kind: "HUMAN" }, policy: { requirements } };

  /** What is wrong with an approval of `actor`, which is the one that is needed. */
  function problems(
    actor: Readonly<Record<string, string | readonly string[]>>,
    recordedAt: string,
  ): readonly string[] {
    const body = { type: "ACTION_APPROVED", actor: { kind: "HUMAN", ...actor } } as unknown as Sequel["body"];
    const before = { status: "PENDING", approvals: 0, expiresAt: "2027" };
    const after = { status: "APPROVED", approvals: 1 };
    return check({ kind: "ACTION", body, recordedAt, before, after, maker, votes: [] }).filter((one) =>
      /may not record|approvals needed/.test(one),
    );
  }

  it("are met by people who have it, and by nobody in a group of that name", () => {
    const at = "2026-01-01T00:00:00.000Z";
    expect(problems({ id: "bob", roles: ["admin"], groups: [] }, at)).toEqual([]);
    expect(problems({ id: "bob", roles: [], groups: ["admin"] }, at)).toEqual([
      "the ACTION is APPROVED with 0 of the 1 approvals needed of role admin",
      "bob may not record it: it is for APPROVER of what ada made",
    ]);
  });

  it("are met by whoever asked only from the recorded time on", () => {
    const ada = { id: "ada", roles: ["admin"], groups: [] };
    expect(problems(ada, "2026-01-01T23:59:59.999999Z")).toEqual([
      "ada may not record it: it is for APPROVER of what ada made",
    ]);
    expect(problems(ada, "2026-01-02T00:00:00.000000Z")).toEqual([]);
    expect(problems({ ...ada, roles: [] }, "2026-01-03T00:00:00.000000Z")).not.toEqual([]);
  });
});
