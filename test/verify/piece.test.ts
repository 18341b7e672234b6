import { describe, expect, it } from "vitest";
import type { UnsealedObject } from "../../src/facts/commitment.ts";
import type { StoredState } from "../../src/verify/rows.ts";
import { check, created, moves, note, type Stored, store, uuid } from "./ledger.ts";

/** Things of three kinds whose lives overlap; positions 1 to 12. */
const BODIES: readonly UnsealedObject[] = [
  created, // 1
  moves("ACTION", "a", 1, "PENDING", { onBehalfOf: { id: "boss" }, conversation: "c" }), // 2
  moves("SESSION", "s", 1, "OPEN"), // 3
  note("nothing"), // 4
  moves("ACTION", "a", 2, "APPROVED", { actor: { id: "approver" } }), // 5
  moves("ACTION", "b", 1, "PENDING"), // 6
  note("two at once", {
    states: [
      { kind: "CHAIN", id: "one", version: 1, state: { status: "OPEN" } },
      { kind: "ACTION", id: "c", version: 1, state: { status: "PENDING" } },
    ],
  }), // 7
  moves("ACTION", "a", 3, "SUCCEEDED"), // 8
  note("and two more", {
    states: [
      { kind: "CHAIN", id: "one", version: 2, state: { status: "CLOSED" } },
      { kind: "CHAIN", id: "two", version: 1, state: { status: "OPEN", expiresAt: "2030-01-01T00:00:00.5Z" } },
    ],
  }), // 9
  moves("SESSION", "s", 2, "ENDED"), // 10
  moves("PRINCIPAL", "a b", 1, "x"), // 11
  note("the end"), // 12
];
const LAST = BigInt(BODIES.length);
const EVERY_CUT = Array.from({ length: BODIES.length - 1 }, (_, at) => [BigInt(at + 1)]);
const CUTS: readonly (readonly bigint[])[] = [[], ...EVERY_CUT, [3n, 6n, 9n], EVERY_CUT.flat()];

/** As the database has it: RFC 3339 with six decimals. */
function ledger(): Stored {
  const stored = store(BODIES);
  const states = stored.states.map((row) => ({
    ...row,
    expiresAt: row.expiresAt === null ? null : "2030-01-01T00:00:00.500000Z",
  }));
  return { ...stored, states };
}

function withRow(kind: string, id: string, change: (row: StoredState) => Partial<StoredState>): Stored {
  const { entries, states } = ledger();
  return {
    entries,
    states: states.map((row) => (row.kind === kind && row.id === id ? { ...row, ...change(row) } : row)),
  };
}

describe("createPiece", () => {
  it.each(CUTS.map((cuts) => [cuts.join() || "nowhere", cuts] as const))(
    "finds a ledger right, cut at %s",
    (_, cuts) => {
      const { problems, agree, reports } = check(ledger(), { cuts });
      expect(problems).toEqual([]);
      expect(agree).toBe(true);
      expect(reports.reduce((sum, { entries }) => sum + entries, 0)).toBe(BODIES.length);
      expect(reports.some(({ damaged }) => damaged)).toBe(false);
    },
  );

  it("finds a part right whose things were moved on behind it", () => {
    const stored = ledger();
    for (let to = 1n; to < LAST; to++) {
      // Of rows that were last moved behind the range, the digest has what they say of it.
      const { problems, agree } = check(
        { ...stored, states: stored.states.filter((row) => row.updatedSeq <= to) },
        { to },
      );
      expect(problems).toEqual([]);
      const behind = stored.states.some((row) => row.updatedSeq > to && row.firstSeq <= to);
      expect(agree).toBe(!behind);
    }
  });

  const WRONG: readonly (readonly [string, Stored, bigint | "digest"])[] = [
    ["a row that was removed", { ...ledger(), states: ledger().states.filter(({ id }) => id !== "a") }, "digest"],
    [
      "a row that was set back",
      withRow("ACTION", "a", ({ entries }) => ({
        version: 2,
        entries: entries.slice(0, 2),
        updatedSeq: 5n,
        state: '{"status":"APPROVED"}',
        status: "APPROVED",
        hash: ledger().entries[4]!.hash,
      })),
      "digest",
    ],
    ["a row that lists another entry", withRow("ACTION", "a", () => ({ entries: [2n, 4n, 8n] })), "digest"],
    ["a row that lists one entry more", withRow("ACTION", "a", () => ({ entries: [2n, 4n, 5n, 8n], version: 4 })), 8n],
    ["a row of another maker", withRow("ACTION", "a", () => ({ actorId: "mallory" })), "digest"],
    ["a row for nobody", withRow("ACTION", "a", () => ({ onBehalfOfId: null })), "digest"],
    ["a row of another conversation", withRow("ACTION", "a", () => ({ conversation: "" })), "digest"],
    ["a row with another state", withRow("ACTION", "a", () => ({ state: '{"status":"FAILED"}' })), 8n],
    ["a row with more state", withRow("ACTION", "a", () => ({ state: '{"status":"SUCCEEDED","x":1}' })), 8n],
    ["a row whose state is no JSON", withRow("ACTION", "a", () => ({ state: "" })), 8n],
    ["a row with another status", withRow("ACTION", "a", () => ({ status: "FAILED" })), 8n],
    ["a row that expires", withRow("ACTION", "a", () => ({ expiresAt: "2030-01-01T00:00:00.000000Z" })), 8n],
    ["a row that expires later", withRow("CHAIN", "two", () => ({ expiresAt: "2031-01-01T00:00:00.500000Z" })), 9n],
    ["a row of another entry", withRow("ACTION", "a", () => ({ hash: "0".repeat(64) })), 8n],
    ["a row that began later", withRow("ACTION", "a", () => ({ firstSeq: 3n })), 8n],
    ["a row whose last entry is another", withRow("ACTION", "a", () => ({ updatedSeq: 9n })), 9n],
    ["a row of another version", withRow("ACTION", "a", () => ({ version: 7 })), 8n],
    ["a row of another id", withRow("ACTION", "a", () => ({ id: "z" })), 8n],
    ["a row of another kind", withRow("ACTION", "a", () => ({ kind: "SESSION" })), 8n],
    [
      "a row that no entry made",
      {
        ...ledger(),
        states: [
          ...ledger().states,
          { ...ledger().states[0]!, id: "z", entries: [4n], version: 1, firstSeq: 4n, updatedSeq: 4n },
        ],
      },
      4n,
    ],
    [
      "a row before the first entry",
      {
        ...ledger(),
        states: [
          ...ledger().states,
          { ...ledger().states[0]!, id: "z", entries: [0n], version: 1, firstSeq: 0n, updatedSeq: 0n },
        ],
      },
      0n,
    ],
  ];

  it.each(WRONG)("finds %s, wherever it is cut", (_, stored, seq) => {
    for (const cuts of CUTS) {
      const { problems, agree } = check(stored, { cuts });
      const named = problems.filter(({ verdict }) => verdict === "STATE_MISMATCH").map((problem) => problem.seq);
      expect(problems.length).toBe(named.length);
      if (seq === "digest") expect([cuts, agree && named.length === 0]).toEqual([cuts, false]);
      else expect(named).toContain(seq);
    }
  });

  it("blames no row for an entry that cannot be trusted", () => {
    for (const spoil of [4, 7]) {
      const { entries, states } = ledger();
      const changed = entries.map((row, at) => (at === spoil ? { ...row, hash: "0".repeat(64) } : row));
      const removed = entries.filter((_, at) => at !== spoil);
      const doubled = [...entries, entries[spoil]!];
      for (const cuts of CUTS) {
        for (const [stored, verdict] of [
          [changed, "CONTENT_MISMATCH"],
          [removed, "SEQUENCE_GAP"],
          [doubled, "FORKED"],
        ] as const) {
          const { problems, reports } = check({ entries: stored, states }, { cuts, to: LAST });
          const own = problems.filter(
            ({ seq, verdict: found }) => !(found === "LINK_BROKEN" && seq === BigInt(spoil + 2)),
          );
          expect(own.map((problem) => [problem.seq, problem.verdict])).toEqual([[BigInt(spoil + 1), verdict]]);
          expect(reports.some(({ damaged }) => damaged)).toBe(true);
        }
      }
    }
  });

  it("knows LEDGER_CREATED as the first entry alone, and each id once", () => {
    const again = store([created, created, note("one", { id: uuid(90) }), note("two", { id: uuid(90) })]);
    expect(check(again).problems).toEqual([
      { verdict: "RULE_BROKEN", seq: 2n, detail: "a ledger begins with LEDGER_CREATED, and has it nowhere else" },
      { verdict: "RULE_BROKEN", seq: 4n, detail: `an earlier entry has the id ${uuid(90)}` },
    ]);
    expect(check(store([note("first")])).problems).toEqual([
      { verdict: "LINK_BROKEN", seq: 1n, detail: "a ledger begins with LEDGER_CREATED, and has it nowhere else" },
    ]);
  });

  it("returns the first problems, up to the limit", () => {
    const { entries, states } = store([created, ...Array.from({ length: 500 }, (_, at) => note(`${at}`))]);
    const changed = entries.map((row) => ({ ...row, columns: row.columns.with(3, "x") }));
    const { problems } = check({ entries: changed, states });
    expect(problems.map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, at) => BigInt(at + 1)));
  });
});
