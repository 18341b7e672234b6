import { describe, expect, it } from "vitest";
import type { UnsealedObject } from "../../src/facts/commitment.ts";
import { type Claim, claimProblems, type Stage } from "../../src/verify/history.ts";
import type { Rules } from "../../src/verify/rules.ts";
import { check, created, moves, note, store } from "./ledger.ts";

const STEPS: Readonly<Record<string, readonly string[]>> = { begin: ["OPEN"], OPEN: ["OPEN", "CLOSED"] };
const rules: Rules = {
  isLegalStep: (kind, from, to) => kind !== "DOOR" || STEPS[from ?? "begin"]?.includes(to ?? "") === true,
  dependenciesOf: ({ session }) => (typeof session === "string" ? [{ kind: "SESSION", id: session, version: 1 }] : []),
};

const begins = (more: UnsealedObject = {}) =>
  note("begins", { states: [{ kind: "SESSION", id: "s", version: 1, state: { status: "OPEN", ...more } }] });

function details(...bodies: readonly UnsealedObject[]): string[] {
  // Without state rows, which would tell of some of it as well.
  const { problems, reports } = check({ ...store([created, ...bodies]), states: [] }, { rules });
  expect(reports.flatMap(({ claims }) => claims)).toEqual([]);
  return problems.map(({ verdict, seq, detail }) => `${verdict} ${seq} ${detail}`);
}

describe("legal steps", () => {
  it("are those that the vocabulary of facts allows, from one status to the next", () => {
    const legal = ["OPEN", "OPEN", "CLOSED"].map((status, at) => moves("DOOR", "d", at + 1, status));
    expect(details(...legal)).toEqual([]);
    expect(details(moves("DOOR", "d", 1, "CLOSED"))).toEqual([
      "ILLEGAL_STEP 2 DOOR d may not begin with CLOSED by an entry of type NOTE",
    ]);
    expect(details(...legal, moves("DOOR", "d", 4, "OPEN"))).toEqual([
      "ILLEGAL_STEP 5 DOOR d may not go from CLOSED to OPEN by an entry of type NOTE",
    ]);
    expect(details(note("x", { states: [{ kind: "DOOR", id: "d", version: 1, state: {} }] }))).toEqual([
      "ILLEGAL_STEP 2 DOOR d may not begin with no status by an entry of type NOTE",
    ]);
  });

  it("lead from one version to the next", () => {
    expect(details(moves("WINDOW", "w", 1, "x"), moves("WINDOW", "w", 3, "y"))).toEqual([
      "ILLEGAL_STEP 3 it makes version 3 of WINDOW w, which had version 1",
    ]);
    expect(details(moves("WINDOW", "w", 1, "x"), moves("WINDOW", "w", 1, "y"))).toEqual([
      "ILLEGAL_STEP 3 it makes version 1 of WINDOW w, which had version 1",
    ]);
  });

  it("leave kinds alone that nothing is said of", () => {
    expect(details(moves("WINDOW", "w", 1, "x"), moves("WINDOW", "w", 2, "y"))).toEqual([]);
  });
});

describe("what entries depend on", () => {
  it("is there, at that version, when they are recorded", () => {
    expect(details(begins(), note("in it", { session: "s" }), moves("SESSION", "s", 2, "ENDED"))).toEqual([]);
    expect(details(begins(), moves("SESSION", "s", 2, "ENDED"), note("too late", { session: "s" }))).toEqual([
      "ILLEGAL_STEP 4 it depends on version 1 of SESSION s, which it did not have then",
    ]);
  });

  it("has not expired", () => {
    // The fixture dates the first ten entries 10:00:00.
    const until = (expiresAt: string) => details(begins({ expiresAt }), note("in it", { session: "s" }));
    const expired = (problems: readonly string[]) => problems.filter((problem) => problem.includes("had expired"));
    expect(expired(until("2026-11-22T10:00:00.000001Z"))).toEqual([]);
    expect(expired(until("2026-11-22T10:00:00Z"))).toEqual([
      "ILLEGAL_STEP 3 it depends on SESSION s, which had expired at 2026-11-22T10:00:00.000000Z",
    ]);
  });
});

describe("claims on entries before a piece", () => {
  it("are left to be looked up", () => {
    const stored = store([created, begins(), note("in it", { session: "s" }), moves("SESSION", "s", 2, "ENDED")]);
    const { reports } = check(stored, { rules, cuts: [2n] });
    expect(reports[1]?.claims).toMatchObject([
      { seq: 3n, kind: "SESSION", id: "s", version: 1, to: undefined },
      { seq: 4n, kind: "SESSION", id: "s", version: 1, to: { status: "ENDED", expiresAt: undefined } },
    ]);
  });

  const stage = (status: string, expiresAt?: string): Stage => ({ status, expiresAt, state: { status } });
  const history = undefined;
  const claim = (to?: Claim["to"]): Claim => ({
    seq: 10n,
    kind: "DOOR",
    id: "d",
    version: 1,
    to,
    body: { type: "NOTE" },
    recordedAt: "2026-11-22T10:00:00.000000Z",
  });

  it("hold for what was so then", () => {
    const past = { seq: 5n, nextSeq: undefined, stage: stage("OPEN"), history };
    expect(claimProblems(claim(), past, rules)).toEqual([]);
    expect(claimProblems(claim(), { ...past, nextSeq: 11n }, rules)).toEqual([]);
    expect(claimProblems(claim(stage("CLOSED")), past, rules)).toEqual([]);
  });

  it("do not hold for what was not", () => {
    const detail = (to: Claim["to"], past: Parameters<typeof claimProblems>[1]) =>
      claimProblems(claim(to), past, rules)[0]?.detail;
    const open = stage("OPEN");
    expect(detail(undefined, { seq: 5n, nextSeq: 9n, stage: open, history })).toContain("which it did not have then");
    expect(detail(undefined, { seq: 12n, nextSeq: undefined, stage: open, history })).toContain(
      "which it did not have then",
    );
    expect(detail(undefined, { seq: undefined, nextSeq: undefined, stage: undefined, history })).toContain(
      "which no state row has",
    );
    expect(
      detail(undefined, { seq: 5n, nextSeq: 11n, stage: stage("OPEN", "2026-11-22T09:00:00.000000Z"), history }),
    ).toContain("had expired");
    expect(detail(stage("OPEN"), { seq: 5n, nextSeq: 10n, stage: stage("CLOSED"), history })).toBe(
      "DOOR d may not go from CLOSED to OPEN by an entry of type NOTE",
    );
  });
});
