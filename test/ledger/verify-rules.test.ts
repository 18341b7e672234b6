import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import { SYSTEM_ACTOR } from "../../src/facts/envelope.ts";
import {
  ann,
  but,
  changed,
  DEADLINE,
  grantOf,
  life,
  type Members,
  openRules,
  past,
  type Rules,
  step,
} from "./rules.fixture.ts";
import { listing, MEMBER, newId, note, sessionStep } from "./scene.ts";

/** Entries that are not what their type permits, and those of sessions and the directory that may not follow others. */ let rules: Rules;

beforeAll(async () => {
  rules = await openRules();
});
afterAll(() => rules.close());

const bare = { type: "NOTE", actor: { id: "tester" } };
const session = newId();
const setup = (attempts: number, more: Members = {}) => ({
  hash: "0".repeat(64),
  expiresAt: DEADLINE,
  attempts,
  ...more,
});
const code = (version: number, type: string, actor: UnsealedObject, state: UnsealedObject): UnsealedObject => ({
  type,
  actor,
  states: [{ kind: "SETUP", id: "administrator", version, state }],
});
const agent = { kind: "AGENT", suspended: false, roles: [] };

/** Name, the entries, the verdict, and why. */
const OTHERS: readonly (readonly [string, readonly UnsealedObject[], string, RegExp])[] = [
  [
    "a proposal that policy forbids, and that is allowed",
    changed(0, policy("FORBID"), { status: "ALLOWED", grant: grantOf(2) }),
    "RULE_BROKEN",
    /policy.outcome FORBID leads no ACTION to ALLOWED/,
  ],
  [
    "a proposal that needs approval, and is allowed",
    changed(0, { grant: { id: grantOf(2).id } }, { status: "ALLOWED", grant: grantOf(2) }),
    "RULE_BROKEN",
    /policy.outcome REQUIRE leads no ACTION to ALLOWED/,
  ],
  [
    "a proposal without a deadline",
    changed(0, {}, { expiresAt: undefined }),
    "RULE_BROKEN",
    /ACTION is PENDING without expiresAt/,
  ],
  ["a proposal with approvals", changed(0, {}, { approvals: 1 }), "RULE_BROKEN", /approvals of ACTION is not 0/],
  [
    "an approval that says no",
    changed(1, { decision: { verdict: "DENY", channel: "API" } }),
    "RULE_BROKEN",
    /decision.verdict: is not APPROVE/,
  ],
  [
    "an approval without the end of its grant",
    changed(1, {}, { grant: undefined }),
    "RULE_BROKEN",
    /ACTION is APPROVED without grant.expiresAt/,
  ],
  [
    "a grant that is not the one in the state",
    changed(2, { grant: { id: newId() } }),
    "RULE_BROKEN",
    /grant.id of ACTION is not grant.id of the entry/,
  ],
  [
    "an outcome that is another than the status",
    changed(4, { outcome: "FAILED" }),
    "RULE_BROKEN",
    /outcome FAILED leads no ACTION to SUCCEEDED/,
  ],
  [
    "an expiry by a person",
    [
      but(life()[0], {}, { expiresAt: past }),
      step(2, "ACTION_EXPIRED", { actor: ann, reason: "EXPIRED" }, { status: "EXPIRED" }),
    ],
    "RULE_BROKEN",
    /actor: is not the server/,
  ],
  [
    "a second LEDGER_CREATED",
    [bare, { type: "LEDGER_CREATED", actor: SYSTEM_ACTOR }],
    "RULE_BROKEN",
    /begins with LEDGER_CREATED, and has it nowhere else/,
  ],
  [
    "a repeated id",
    [{ ...bare, id: session }, bare, { ...bare, id: session }],
    "RULE_BROKEN",
    /an earlier entry has the id/,
  ],
  [
    "a session ended by somebody else",
    [sessionStep(session, 1), sessionStep(session, 2, { actor: ann })],
    "ILLEGAL_STEP",
    /ann may not record it: it is for MAKER of what member made/,
  ],
  [
    "a session ended by the server before its time",
    [
      sessionStep(session, 1, { expiresAt: DEADLINE }),
      sessionStep(session, 2, { actor: SYSTEM_ACTOR, reason: "EXPIRED" }),
    ],
    "ILLEGAL_STEP",
    /had not passed/,
  ],
  [
    "an entry in a session that had ended",
    [sessionStep(session, 1), sessionStep(session, 2), note("x", { session, actor: MEMBER })],
    "ILLEGAL_STEP",
    /depends on version 1 of SESSION/,
  ],
  [
    "an entry in a session that had expired",
    [sessionStep(session, 1, { expiresAt: past }), note("x", { session, actor: MEMBER })],
    "ILLEGAL_STEP",
    /which had expired/,
  ],
  [
    "a suspension that gives a role",
    [
      listing("PRINCIPAL", "a", 1, agent),
      listing("PRINCIPAL", "a", 2, { ...agent, suspended: true, roles: ["admin"] }),
    ],
    "ILLEGAL_STEP",
    /roles of the PRINCIPAL is another than before/,
  ],
  [
    "a reinstatement by an agent",
    [
      listing("PRINCIPAL", "a", 1, agent),
      listing("PRINCIPAL", "a", 2, { ...agent, suspended: true }),
      { ...listing("PRINCIPAL", "a", 3, agent, "PRINCIPAL_REINSTATED"), actor: { ...ann, kind: "AGENT" } },
    ],
    "RULE_BROKEN",
    /actor: is not a person/,
  ],
  [
    "a suspension that suspends nobody",
    [listing("PRINCIPAL", "a", 1, agent), listing("PRINCIPAL", "a", 2, agent, "PRINCIPAL_SUSPENDED")],
    "RULE_BROKEN",
    /suspended of PRINCIPAL is not true/,
  ],
  [
    "a wrong code that was not counted",
    [code(1, "SETUP_CODE_ISSUED", SYSTEM_ACTOR, setup(0)), code(2, "SETUP_CODE_REFUSED", ann, setup(0))],
    "ILLEGAL_STEP",
    /attempts of the SETUP is not one more than before/,
  ],
  [
    "a code used for somebody else",
    [
      code(1, "SETUP_CODE_ISSUED", SYSTEM_ACTOR, setup(0)),
      code(2, "SETUP_CODE_USED", ann, setup(0, { usedBy: "mallory" })),
    ],
    "RULE_BROKEN",
    /usedBy of SETUP is not actor.id of the entry/,
  ],
];

function policy(outcome: string): Members {
  return { grant: { id: grantOf(2).id }, policy: { ...(life()[0].policy as UnsealedObject), outcome } };
}

describe("a ledger with", () => {
  it.each(OTHERS)("%s is not intact", async (_name, bodies, verdict, detail) => {
    const { whole } = await rules.found(bodies);
    const problem = expect.stringMatching(new RegExp(`^${verdict} ${bodies.length + 1} .*${detail.source}`));
    expect(whole).toEqual({ verdict, problems: [problem] });
  });

  it("the same without these faults is intact", async () => {
    const other = newId();
    const { whole } = await rules.found([
      bare,
      sessionStep(session, 1, { expiresAt: DEADLINE }),
      note("x", { session, actor: MEMBER }),
      sessionStep(session, 2),
      sessionStep(other, 1, { expiresAt: past }),
      sessionStep(other, 2, { actor: SYSTEM_ACTOR, reason: "EXPIRED" }),
      listing("PRINCIPAL", "a", 1, agent),
      listing("PRINCIPAL", "a", 2, { ...agent, suspended: true }),
      listing("PRINCIPAL", "a", 3, agent, "PRINCIPAL_REINSTATED"),
      code(1, "SETUP_CODE_ISSUED", SYSTEM_ACTOR, setup(0)),
      code(2, "SETUP_CODE_REFUSED", ann, setup(1)),
      code(3, "SETUP_CODE_USED", ann, setup(1, { usedBy: "ann" })),
    ]);
    expect(whole).toEqual({ verdict: "INTACT", problems: [] });
  });

  it("a body that is not canonical is not intact", async () => {
    const body = `{"type":"NOTE","id":"${newId()}","actor":{"id":"tester"}}`;
    expect((await rules.verified([{ body, payload: "" }])).whole).toMatchObject({
      verdict: "CONTENT_MISMATCH",
      problems: [expect.stringContaining("it is not RFC 8785 text")],
    });
  });

  it("a commitment that never had a value is not intact", async () => {
    const { body } = seal(note("x", { id: newId() }));
    expect((await rules.verified([{ body, payload: "" }])).whole).toMatchObject({
      verdict: "PAYLOAD_MISSING",
      problems: [expect.stringContaining("no value is stored for text")],
    });
  });
});
