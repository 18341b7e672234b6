import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { UnsealedObject } from "../../src/facts/commitment.ts";
import { SYSTEM_ACTOR } from "../../src/facts/envelope.ts";
import {
  ann,
  but,
  changed,
  grantOf,
  life,
  type Members,
  openRules,
  past,
  person,
  type Rules,
} from "./rules.fixture.ts";
import { listing, MEMBER, newId, note, sessionStep, statesOf } from "./scene.ts";

/** What things are made with and of which things entries may be, and beside each fault what is right. */ let rules: Rules;

beforeAll(async () => {
  rules = await openRules();
});
afterAll(() => rules.close());

const invitation = { owner: "member", invitedAt: past };
const agent: UnsealedObject = { kind: "AGENT", suspended: false, roles: [] };
const invited = { ...agent, ...invitation };
const principal = (type: string, state: UnsealedObject, version = 1, more: UnsealedObject = {}) => ({
  ...listing("PRINCIPAL", "a", version, state, type),
  ...more,
});
const subject = (kind: string) => ({ subject: { id: "a", kind } });
const DEADLINE = "2099-11-22T23:45:27.499390Z";
const code = (more: UnsealedObject = {}): UnsealedObject => ({
  type: "SETUP_CODE_ISSUED",
  actor: SYSTEM_ACTOR,
  states: [
    {
      kind: "SETUP",
      id: "administrator",
      version: 1,
      state: { hash: "0".repeat(64), expiresAt: DEADLINE, attempts: 0, ...more },
    },
  ],
});

const session = newId();
const [mia, bot] = [person("mia"), { ...person("bot"), kind: "AGENT" }];
const inSession = (actor: UnsealedObject, onBehalfOf?: UnsealedObject) =>
  note("x", { session, actor, ...(onBehalfOf === undefined ? {} : { onBehalfOf }) });
const started = (actor: UnsealedObject, onBehalfOf?: UnsealedObject) =>
  sessionStep(session, 1, { actor, ...(onBehalfOf === undefined ? {} : { onBehalfOf }) });

/** A proposal that makes action `n`, on the chain of the first life or, with `chains`, on another. */
function proposal(n: number, members: Members = {}, chains: readonly UnsealedObject[] = []): UnsealedObject {
  const [first] = life();
  const [action] = statesOf(first);
  const id = `0192f3a0-0000-7000-8000-${String(n).padStart(12, "0")}`;
  return { ...first, action: id, ...members, states: [{ ...action, id }, ...chains] };
}
const first = life()[0];
const next = newId();
const chain = (id: unknown, version: number, number: number, platform: unknown) => ({
  kind: "CHAIN",
  id,
  version,
  state: { status: version === 1 ? "OPEN" : "CLOSED", number, platform },
});
const replacing = (members: Members = {}, number = 2): UnsealedObject =>
  proposal(1, { platform: "web", chain: next, ...members }, [
    chain(next, 1, number, "web"),
    chain(first.chain, 2, 1, first.platform),
  ] as readonly UnsealedObject[]);

type Case = readonly [string, readonly UnsealedObject[]];
const RIGHT: readonly Case[] = [
  ["an agent that was invited", [principal("PRINCIPAL_INVITED", invited)]],
  [
    "a person who was suspended first",
    [principal("PRINCIPAL_SUSPENDED", { ...agent, kind: "HUMAN", suspended: true })],
  ],
  [
    "a person who got roles first",
    [principal("PRINCIPAL_ROLES_CHANGED", { ...agent, kind: "HUMAN", roles: ["admin"] })],
  ],
  [
    "an agent that was suspended before it was invited",
    [
      principal("PRINCIPAL_SUSPENDED", { ...agent, suspended: true }),
      principal("PRINCIPAL_INVITED", { ...invited, suspended: true }, 2),
    ],
  ],
  ["an entry in the session of its actor", [started(mia), inSession(mia)]],
  ["an entry in the session of its actor for the same person", [started(bot, mia), inSession(bot, mia)]],
  ["an entry of an agent in the session of its person", [started(mia), inSession(bot, mia)]],
  ["a step that joins a chain", [first, proposal(1)]],
  ["a step that replaces a chain", [first, replacing()]],
];

const FAULTS: readonly (readonly [...Case, verdict: string, RegExp])[] = [
  [
    "an invited person",
    [principal("PRINCIPAL_INVITED", { ...invited, kind: "HUMAN" })],
    "RULE_BROKEN",
    /kind of PRINCIPAL is not AGENT/,
  ],
  [
    "an invited agent without an owner",
    [principal("PRINCIPAL_INVITED", agent)],
    "RULE_BROKEN",
    /PRINCIPAL is without owner/,
  ],
  [
    "an agent invited with a role",
    [principal("PRINCIPAL_INVITED", { ...invited, roles: ["admin"] })],
    "RULE_BROKEN",
    /roles of PRINCIPAL is not what a PRINCIPAL has before/,
  ],
  [
    "an agent invited as suspended",
    [principal("PRINCIPAL_INVITED", { ...invited, suspended: true })],
    "RULE_BROKEN",
    /suspended of PRINCIPAL is not what/,
  ],
  [
    "a suspension that makes an administrator",
    [principal("PRINCIPAL_SUSPENDED", { ...agent, suspended: true, roles: ["admin"] })],
    "RULE_BROKEN",
    /roles of PRINCIPAL is not what/,
  ],
  [
    "a suspension that registers a key",
    [principal("PRINCIPAL_SUSPENDED", { ...agent, suspended: true, key: "k" })],
    "RULE_BROKEN",
    /key of PRINCIPAL is not what/,
  ],
  [
    "roles that register an agent",
    [principal("PRINCIPAL_ROLES_CHANGED", invited)],
    "RULE_BROKEN",
    /owner of PRINCIPAL is not what/,
  ],
  [
    "roles that suspend",
    [principal("PRINCIPAL_ROLES_CHANGED", { ...agent, suspended: true })],
    "RULE_BROKEN",
    /suspended of PRINCIPAL is not what/,
  ],
  [
    "a subject of another kind",
    [principal("PRINCIPAL_ROLES_CHANGED", agent, 1, subject("HUMAN"))],
    "RULE_BROKEN",
    /kind of PRINCIPAL is not subject.kind of the entry/,
  ],
  [
    "a principal that becomes another kind",
    [
      principal("PRINCIPAL_ROLES_CHANGED", agent),
      principal("PRINCIPAL_ROLES_CHANGED", { ...agent, kind: "HUMAN", roles: ["admin"] }, 2),
    ],
    "ILLEGAL_STEP",
    /kind of the PRINCIPAL is another than before/,
  ],
  ["a setup code that was used when it was made", [code({ usedBy: "mallory" })], "RULE_BROKEN", /SETUP is with usedBy/],
  [
    "an approved action with the deadline of the pending one",
    changed(1, {}, { expiresAt: DEADLINE }),
    "RULE_BROKEN",
    /ACTION is APPROVED with expiresAt/,
  ],
  [
    "a pending action with a grant",
    changed(0, {}, { grant: { expiresAt: DEADLINE } }),
    "RULE_BROKEN",
    /ACTION is PENDING with grant/,
  ],
  ["an approval that issues a grant", changed(1, {}, { grant: grantOf(2) }), "RULE_BROKEN", /ACTION is with grant.id/],
  ["a requirement of nobody", changed(0, needs(0)), "RULE_BROKEN", /^policy.requirements.0.needed: /],
  [
    "an ended session with a deadline",
    [started(MEMBER), but(sessionStep(session, 2), {}, { expiresAt: DEADLINE })],
    "RULE_BROKEN",
    /SESSION is ENDED with expiresAt/,
  ],
  [
    "an action that is pending although it has its approvals",
    changed(1, {}, { status: "PENDING", expiresAt: DEADLINE, grant: undefined }),
    "ILLEGAL_STEP",
    /the ACTION is PENDING with all approvals needed/,
  ],
  [
    "an entry in the session of somebody else",
    [started(mia), inSession(ann)],
    "ILLEGAL_STEP",
    /depends on SESSION .*: ann may not record it: it is for CALLER or DELEGATE/,
  ],
  [
    "an entry of a person in the session of an agent of theirs",
    [started(bot, mia), inSession(mia)],
    "ILLEGAL_STEP",
    /mia may not record it/,
  ],
  [
    "an entry of an agent in the session of another person",
    [started(ann), inSession(bot, mia)],
    "ILLEGAL_STEP",
    /bot may not record it/,
  ],
  [
    "an entry of an agent in its own session for another person",
    [started(bot, ann), inSession(bot, mia)],
    "ILLEGAL_STEP",
    /bot may not record it/,
  ],
  [
    "an entry for a person in their session, by a service",
    [started(mia), inSession({ ...bot, kind: "SERVICE" }, mia)],
    "ILLEGAL_STEP",
    /bot may not record it/,
  ],
  [
    "a step on another platform than its chain",
    [first, proposal(1, { platform: "web" })],
    "ILLEGAL_STEP",
    /depends on CHAIN .*: platform is not platform of the CHAIN before/,
  ],
  [
    "a step of another agent in a chain",
    [first, proposal(1, { actor: bot })],
    "ILLEGAL_STEP",
    /bot may not record it: it is for CALLER/,
  ],
  [
    "a step for another person in a chain",
    [first, proposal(1, { onBehalfOf: mia })],
    "ILLEGAL_STEP",
    /may not record it: it is for CALLER/,
  ],
  [
    "a step of another conversation in a chain",
    [first, proposal(1, { conversation: "other" })],
    "ILLEGAL_STEP",
    /conversation is not conversation of the entry that made the CHAIN/,
  ],
  [
    "a chain that replaces that of another agent",
    [first, replacing({ actor: bot })],
    "ILLEGAL_STEP",
    /bot may not record it: it is for CALLER/,
  ],
  [
    "a chain that replaces that of another person",
    [first, replacing({ onBehalfOf: mia })],
    "ILLEGAL_STEP",
    /may not record it: it is for CALLER/,
  ],
  [
    "a chain that replaces that of another conversation",
    [first, replacing({ conversation: "other" })],
    "ILLEGAL_STEP",
    /conversation is not conversation of the entry/,
  ],
  ["a chain that skips a number", [first, replacing({}, 3)], "RULE_BROKEN", /number of CHAIN is not 2/],
];

function needs(needed: number): Members {
  const requirements = [{ id: "one", group: "approvers", needed }];
  return { policy: { ...(first.policy as UnsealedObject), requirements } };
}

describe("a ledger with", () => {
  it.each(RIGHT)("%s is intact", async (_name, bodies) => {
    const intact = { verdict: "INTACT", problems: [] };
    expect(await rules.found(bodies)).toEqual({ whole: intact, last: intact });
  });

  it.each(FAULTS)("%s is not", async (_name, bodies, verdict, detail) => {
    const problem = expect.stringMatching(
      new RegExp(`^${verdict} ${bodies.length + 1} .*${detail.source.replace("^", "")}`),
    );
    const found = { verdict, problems: [problem] };
    // Also when what comes before the last entry is outside of the part that is verified.
    expect(await rules.found(bodies)).toEqual({ whole: found, last: found });
  });
});
