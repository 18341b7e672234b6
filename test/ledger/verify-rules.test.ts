import { Client, type Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import { type Sealed, seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { SYSTEM_ACTOR } from "../../src/facts/envelope.ts";
import { verifyLedger } from "../../src/ledger/verify.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { listing, newId, note, sessionStep } from "./scene.ts";
import { actionBodies, createLedger } from "./verify.fixture.ts";

/**
 * Ledgers that somebody with the server's login appends: hashed, linked and projected by the database, and yet not what the
 * format permits. Beside each stands the same without the fault.
 */
let database: TestDatabase;
let server: Client;
let pool: Pool;
let ledgers = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  server = new Client({ connectionString: database.appUrl });
  await server.connect();
  pool = createPool({ connectionString: database.appUrl, max: 2, applicationName: "verify-rules", log: silent });
});

afterAll(async () => {
  await server.end();
  await pool.end();
  await database.drop();
});

/** Appends each body by itself behind LEDGER_CREATED, and verifies the whole and the last entry alone. */
async function found(bodies: readonly UnsealedObject[]) {
  // Ids of notes are kept; those of the fixture belong to one entry each.
  return verified(bodies.map((body) => seal({ ...body, id: (body.type === "NOTE" ? body.id : undefined) ?? newId() })));
}

async function verified(drafts: readonly Sealed[]) {
  ledgers += 1;
  const ledger: LedgerId = `rules-${ledgers}/eu`;
  await createLedger(server, ledger);
  for (const { body, payload } of drafts) {
    const { rows } = await server.query<{ refusal: string | null }>(
      "SELECT refusal FROM oc_ledger_append($1, $2, $3)",
      [ledger, body, payload],
    );
    expect(rows).toEqual([{ refusal: null }]);
  }
  const brief = async (range: { readonly fromSeq?: bigint } = {}) => {
    const { verdict, problems } = await verifyLedger(pool, ledger, range);
    return { verdict, problems: problems.map(({ verdict: kind, seq, detail }) => `${kind} ${seq} ${detail}`) };
  };
  return { whole: await brief(), last: await brief({ fromSeq: BigInt(drafts.length + 1) }) };
}

type Life = readonly [UnsealedObject, UnsealedObject, UnsealedObject, UnsealedObject, UnsealedObject];
type Members = { readonly [name: string]: UnsealedObject[string] };

/** Proposed, approved, its grant issued and redeemed, completed. */
const life = () => actionBodies(0) as unknown as Life;

const person = (id: string, ...groups: readonly string[]): UnsealedObject => ({ id, kind: "HUMAN", roles: [], groups });
const past = "2020-01-01T00:00:00.000000Z";

/** A body with other members; of its state, and of objects in it, only those that are given. */
function but(body: UnsealedObject, members: Members, state: Members = {}): UnsealedObject {
  const [first, ...others] = body.states as readonly UnsealedObject[];
  const states = [{ ...first, state: { ...(first?.state as UnsealedObject), ...state } }, ...others];
  return { ...body, states, ...members };
}

/** The life up to one entry, with that entry changed. */
function changed(at: number, members: Members, state: Members = {}): UnsealedObject[] {
  return life()
    .slice(0, at + 1)
    .map((body, index) => (index === at ? but(body, members, state) : body));
}

/** The same with another entry before it changed as well. */
const also = (bodies: readonly UnsealedObject[], at: number, members: Members, state: Members = {}) =>
  bodies.map((body, index) => (index === at ? but(body, members, state) : body));

function requiring(...requirements: readonly UnsealedObject[]): Members {
  return { policy: { ...(life()[0].policy as UnsealedObject), requirements } };
}

/** An approval as version `version` of the action. */
const approval = (version: number, status: string, actor: UnsealedObject): UnsealedObject => {
  const { states, ...body } = life()[1];
  const [{ id } = { id: "" }] = states as readonly UnsealedObject[];
  const more = status === "PENDING" ? { expiresAt: DEADLINE } : { grant: { expiresAt: DEADLINE } };
  const state = { status, approvals: version - 1, ...more };
  return { ...body, actor, states: [{ kind: "ACTION", id, version, state }] };
};
const DEADLINE = "2099-11-22T23:45:27.499390Z";
const two = requiring({ id: "two", group: "approvers", needed: 2 });
const [ann, ben] = [person("ann", "approvers"), person("ben", "approvers", "legal")];

/** A step of the action that the format has, by an entry of `type`. */
function step(version: number, type: string, members: Members, state: Members): UnsealedObject {
  const { decision: _decision, ...rest } = life()[1];
  return but(
    { ...rest, type, states: [{ ...(rest.states as UnsealedObject[])[0], version, state: { approvals: 0 } }] },
    members,
    state,
  );
}

describe("an action that keeps every rule", () => {
  it.each<readonly [string, readonly UnsealedObject[]]>([
    ["from its proposal to its outcome", life()],
    ["approved by two people", [but(life()[0], two), approval(2, "PENDING", ann), approval(3, "APPROVED", ben)]],
    [
      "approved by people of two groups, one of them in both",
      [
        but(life()[0], requiring({ id: "a", group: "approvers", needed: 1 }, { id: "l", group: "legal", needed: 1 })),
        approval(2, "PENDING", ben),
        approval(3, "APPROVED", ann),
      ],
    ],
    [
      "denied",
      [life()[0], step(2, "ACTION_DENIED", { decision: { verdict: "DENY", channel: "API" } }, { status: "DENIED" })],
    ],
    [
      "expired",
      [
        but(life()[0], {}, { expiresAt: past }),
        step(2, "ACTION_EXPIRED", { actor: SYSTEM_ACTOR, reason: "EXPIRED" }, { status: "EXPIRED" }),
      ],
    ],
    [
      "cancelled by its proposer",
      [
        life()[0],
        step(
          2,
          "ACTION_CANCELLED",
          { actor: life()[0].actor, onBehalfOf: life()[0].onBehalfOf },
          { status: "CANCELLED" },
        ),
      ],
    ],
  ])("is intact: %s", async (_name, bodies) => {
    const { whole, last } = await found(bodies);
    expect(whole).toEqual({ verdict: "INTACT", problems: [] });
    expect(last).toEqual({ verdict: "INTACT", problems: [] });
  });
});

/** Name, the entries, and why the last of them is not legal. */
const ILLEGAL: readonly (readonly [string, readonly UnsealedObject[], RegExp])[] = [
  [
    "approved by an agent",
    changed(1, { actor: { ...ann, kind: "AGENT" } }),
    /ann may not record it: it is for APPROVER/,
  ],
  [
    "approved by the agent that proposed it",
    changed(1, { actor: { ...person("agent-0", "approvers") } }),
    /may not record it/,
  ],
  ["approved by the person it is for", changed(1, { actor: person("member", "approvers") }), /may not record it/],
  ["approved on behalf of the person it is for", changed(1, { onBehalfOf: person("member") }), /may not record it/],
  [
    "approved by somebody of no group that is asked",
    changed(1, { actor: person("zoe", "others") }),
    /may not record it/,
  ],
  [
    "denied by somebody of no group that is asked",
    [
      life()[0],
      step(
        2,
        "ACTION_DENIED",
        { actor: person("zoe"), decision: { verdict: "DENY", channel: "API" } },
        { status: "DENIED" },
      ),
    ],
    /may not record it/,
  ],
  [
    "approved by one of two people",
    also(changed(1, {}), 0, two),
    /is APPROVED with 1 of the 2 approvals needed of approvers/,
  ],
  [
    "approved twice by one person",
    [but(life()[0], two), approval(2, "PENDING", ann), approval(3, "APPROVED", ann)],
    /ann approved before: one person is one approval.*APPROVED with 1 of the 2/,
  ],
  [
    "approved by two people of one of two groups",
    [
      but(life()[0], requiring({ id: "a", group: "approvers", needed: 1 }, { id: "l", group: "legal", needed: 1 })),
      approval(2, "PENDING", ann),
      approval(3, "APPROVED", person("cat", "approvers")),
    ],
    /APPROVED with 0 of the 1 approvals needed of legal/,
  ],
  [
    "approved after its deadline",
    also(changed(1, {}), 0, {}, { expiresAt: past }),
    /the deadline of the ACTION, 2020.*, had passed/,
  ],
  [
    "approved at another digest",
    changed(1, { digest: `sha256:${"0".repeat(64)}` }),
    /digest is not digest of the entry that made/,
  ],
  [
    "approved under another policy",
    changed(1, { policyHash: `sha256:${"0".repeat(64)}` }),
    /policyHash is not policy.hash/,
  ],
  ["approved for another tool", changed(1, { tool: "other" }), /tool is not tool of the entry that made the ACTION/],
  [
    "approved more often than it was",
    changed(1, {}, { approvals: 2 }),
    /approvals of the ACTION is not one more than before/,
  ],
  [
    "approved by the entry of another type",
    [life()[0], step(2, "GRANT_ISSUED", { grant: { id: grantOf(2).id } }, { status: "APPROVED", grant: grantOf(2) })],
    /may not go from PENDING to APPROVED by an entry of type GRANT_ISSUED/,
  ],
  [
    "started without approval",
    [life()[0], { ...life()[3], states: [{ ...(life()[3].states as UnsealedObject[])[0], version: 2 }] }],
    /may not go from PENDING to EXECUTING/,
  ],
  [
    "denied, and pending again",
    [
      life()[0],
      step(2, "ACTION_DENIED", { decision: { verdict: "DENY", channel: "API" } }, { status: "DENIED" }),
      approval(3, "PENDING", ann),
    ],
    /may not go from DENIED to PENDING/,
  ],
  [
    "with a grant for another agent",
    changed(2, { actor: { ...person("agent-9"), kind: "AGENT" } }),
    /agent-9 may not record it: it is for MAKER/,
  ],
  ["with a grant for another person's agent", changed(2, { onBehalfOf: person("boss") }), /may not record it/],
  [
    "with a grant that is good for longer",
    changed(2, {}, { grant: { ...grantOf(2), expiresAt: "2199-01-01T00:00:00.000000Z" } }),
    /grant.expiresAt of the ACTION is another/,
  ],
  [
    "with a grant after its end",
    also(changed(2, {}, { grant: { ...grantOf(2), expiresAt: past } }), 1, {}, { grant: { expiresAt: past } }),
    /the deadline of the ACTION, 2020.*, had passed/,
  ],
  [
    "with a grant in place of one that there was not",
    changed(2, { grant: { id: grantOf(2).id, voids: newId() } }),
    /grant.voids is not grant.id of the ACTION before/,
  ],
  [
    "redeemed by another grant",
    changed(3, { grant: { id: newId() } }),
    /grant.id is not grant.id of the ACTION before/,
  ],
  [
    "redeemed by a grant of another token",
    changed(3, {}, { grant: { ...grantOf(3), hash: "0".repeat(64) } }),
    /grant of the ACTION is another/,
  ],
  [
    "redeemed twice",
    [...life().slice(0, 4), { ...life()[3], states: [{ ...(life()[3].states as UnsealedObject[])[0], version: 5 }] }],
    /may not go from EXECUTING to EXECUTING by an entry of type GRANT_REDEEMED/,
  ],
  ["completed by somebody else", changed(4, { actor: person("zoe") }), /zoe may not record it/],
  [
    "expired before its deadline",
    [life()[0], step(2, "ACTION_EXPIRED", { actor: SYSTEM_ACTOR, reason: "EXPIRED" }, { status: "EXPIRED" })],
    /had not passed/,
  ],
  [
    "ambiguous before its deadline",
    [
      ...life().slice(0, 4),
      step(
        5,
        "ACTION_AMBIGUOUS",
        { actor: SYSTEM_ACTOR, reason: "OUTCOME_NEVER_TOLD" },
        { status: "AMBIGUOUS", approvals: 1, grant: grantOf(3) },
      ),
    ],
    /had not passed/,
  ],
  [
    "cancelled by another agent",
    [life()[0], step(2, "ACTION_CANCELLED", { actor: { ...ann, kind: "AGENT" } }, { status: "CANCELLED" })],
    /may not record it/,
  ],
];

function grantOf(at: number): UnsealedObject {
  const states = life()[at]?.states as readonly { readonly state: { readonly grant: UnsealedObject } }[] | undefined;
  return states?.[0]?.state.grant ?? {};
}

describe("an action that was", () => {
  it.each(ILLEGAL)("%s is an illegal step", async (_name, bodies, detail) => {
    const { whole, last } = await found(bodies);
    const problem = new RegExp(`^ILLEGAL_STEP ${bodies.length + 1} ACTION .{36}:? .*${detail.source}`);
    expect(whole).toEqual({ verdict: "ILLEGAL_STEP", problems: [expect.stringMatching(problem)] });
    // Also when what it has to follow is outside of the part that is verified.
    expect(last).toEqual({ verdict: "ILLEGAL_STEP", problems: [expect.stringMatching(problem)] });
  });
});

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
    [sessionStep(session, 1), sessionStep(session, 2), note("x", { session })],
    "ILLEGAL_STEP",
    /depends on version 1 of SESSION/,
  ],
  [
    "an entry in a session that had expired",
    [sessionStep(session, 1, { expiresAt: past }), note("x", { session })],
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
    const { whole } = await found(bodies);
    const problem = expect.stringMatching(new RegExp(`^${verdict} ${bodies.length + 1} .*${detail.source}`));
    expect(whole).toEqual({ verdict, problems: [problem] });
  });

  it("the same without these faults is intact", async () => {
    const other = newId();
    const { whole } = await found([
      bare,
      sessionStep(session, 1, { expiresAt: DEADLINE }),
      note("x", { session }),
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
    expect((await verified([{ body, payload: "" }])).whole).toMatchObject({
      verdict: "CONTENT_MISMATCH",
      problems: [expect.stringContaining("it is not RFC 8785 text")],
    });
  });

  it("a commitment that never had a value is not intact", async () => {
    const { body } = seal(note("x", { id: newId() }));
    expect((await verified([{ body, payload: "" }])).whole).toMatchObject({
      verdict: "PAYLOAD_MISSING",
      problems: [expect.stringContaining("no value is stored for text")],
    });
  });
});
