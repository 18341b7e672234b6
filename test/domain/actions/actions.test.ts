import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actionIdOf } from "../../../src/domain/actions/action-id.ts";
import type { Actions } from "../../../src/domain/actions/actions.ts";
import { termsOf } from "../../../src/domain/actions/terms.ts";
import { unseal } from "../../../src/facts/payload.ts";
import {
  admin,
  agent,
  approver,
  approver2,
  auditor,
  calling,
  createWorld,
  entriesOf,
  member,
  outsider,
  type Process,
  read,
  refusalOf,
  type World,
  write,
} from "../support.ts";

let world: World;
let process: Process;
let actions: Actions;

beforeAll(async () => {
  world = await createWorld();
  process = await world.process();
  actions = process.actions;
});
afterAll(() => world.close());

const typesOf = async (id: string) => (await entriesOf(process.pool, id)).map(({ type }) => type);

describe("what approvers are shown", () => {
  it("has a bound, however little input it takes to make it long", async () => {
    const invisible = "\u200b".repeat(90_000);
    const refusal = await refusalOf(actions.propose(calling(agent), write({ arguments: { text: invisible } })));
    expect(refusal).toMatchObject({ code: "INVALID_INPUT", path: ["arguments"] });
  });
});

async function pending() {
  const { action } = await actions.propose(calling(agent), write());
  return { id: action.state.id, digest: termsOf(action.proposal).digest };
}

async function approved() {
  const { id, digest } = await pending();
  await actions.approve(calling(approver), { actionId: id, digest, channel: "API" });
  return { id, digest };
}

describe("actions", () => {
  it("carries a write from proposal to outcome, one entry a step", async () => {
    const proposed = await actions.propose(calling(agent), write({ userRequest: "cancel it", rationale: "asked to" }));
    expect(proposed.grant).toBeUndefined();
    expect(proposed.action.state).toMatchObject({ status: "PENDING", version: 1, agentId: "agent" });
    const { id } = proposed.action.state;
    const { digest } = termsOf(proposed.action.proposal);
    const ballot = { actionId: id, digest, note: "fine", channel: "API" } as const;
    const yes = await actions.approve(calling(approver), ballot);
    expect(yes.action.state).toMatchObject({ status: "APPROVED", version: 2, approvals: 1 });
    const claimed = await actions.claimGrant(calling(agent), { actionId: id });
    const redeemed = await actions.redeemGrant(calling(agent), { token: claimed.grant.token, digest });
    expect(redeemed.action.state).toMatchObject({ status: "EXECUTING", version: 4 });
    const done = await actions.complete(calling(agent), { actionId: id, outcome: "SUCCEEDED", result: { ok: true } });
    expect(done.action.state).toMatchObject({ status: "SUCCEEDED", version: 5, expiresAt: null });
    expect(done.action.state.entries).toHaveLength(5);

    const entries = await entriesOf(process.pool, id);
    expect(entries.map(({ type }) => type)).toEqual([
      "ACTION_PROPOSED",
      "ACTION_APPROVED",
      "GRANT_ISSUED",
      "GRANT_REDEEMED",
      "ACTION_COMPLETED",
    ]);
    expect(entries.map(({ seq }) => seq)).toEqual(done.action.state.entries);
    expect(unseal(entries[1]!.body, entries[1]!.payload)).toMatchObject({
      actor: { id: "approver", kind: "HUMAN", profile: { email: "approver@acme.example" } },
      decision: { verdict: "APPROVE", channel: "API", note: "fine" },
      digest,
    });
    expect(entries[4]!.body).toMatchObject({ outcome: "SUCCEEDED", latencyMs: expect.any(Number) });
    const stored = await actions.load(calling(auditor), id);
    expect(stored?.state).toEqual({ ...done.action.state, grantHash: expect.any(Buffer) });
  });

  it("repeats in every later entry from which chain the data may come, and by which policy", async () => {
    const conversationId = randomUUID();
    const source = await actions.propose(calling(agent), read({ conversationId }));
    const { action } = await actions.propose(calling(agent), write({ conversationId }));
    const { id: actionId } = action.state;
    const { digest } = termsOf(action.proposal);
    const decision = { actionId, digest, channel: "API" } as const;
    await refusalOf(actions.approve(calling(auditor), decision));
    await actions.approve(calling(approver), decision);
    const { grant } = await actions.claimGrant(calling(agent), { actionId });
    await actions.redeemGrant(calling(agent), { token: grant.token, digest });
    await actions.complete(calling(agent), { actionId, outcome: "SUCCEEDED" });
    const [proposal, ...later] = await entriesOf(process.pool, actionId);
    const { hash: policyHash } = proposal!.body.policy as { readonly hash: string };
    expect(later.map(({ type }) => type)).toEqual([
      "DECISION_REFUSED",
      "ACTION_APPROVED",
      "GRANT_ISSUED",
      "GRANT_REDEEMED",
      "ACTION_COMPLETED",
    ]);
    for (const { body } of later) expect(body).toMatchObject({ sourceChain: source.entry.body.chain, policyHash });
    const { rows } = await process.pool.query("SELECT DISTINCT source_chain FROM oc_audit_log WHERE action_id = $1", [
      actionId,
    ]);
    expect(rows).toEqual([{ source_chain: source.entry.body.chain }]);
  });

  it("permits a catalogued read at once, with a grant in the same entry", async () => {
    const { action, grant } = await actions.propose(calling(agent), read());
    expect(action.state.status).toBe("ALLOWED");
    const { digest } = termsOf(action.proposal);
    const redeemed = await actions.redeemGrant(calling(agent), { token: grant!.token, digest });
    expect(redeemed.action.state.status).toBe("EXECUTING");
    expect(await typesOf(action.state.id)).toEqual(["ACTION_PROPOSED", "GRANT_REDEEMED"]);
  });

  it.each(["__proto__", "constructor", "toString", "hasOwnProperty", "rm -rf"])(
    "blocks the unknown tool %s",
    async (tool) => {
      const { action, grant } = await actions.propose(calling(agent), read({ tool }));
      expect(grant).toBeUndefined();
      expect(action.state.status).toBe("BLOCKED");
      const stored = await actions.load(calling(agent), action.state.id);
      expect(termsOf(stored!.proposal)).toMatchObject({ tool, effect: "WRITE" });
    },
  );

  it("blocks a known tool on a platform that is not its own", async () => {
    const { action } = await actions.propose(calling(agent), read({ platform: "flights" }));
    expect(action.state.status).toBe("BLOCKED");
  });

  it("returns what was appended exactly as it is read back", async () => {
    for (const input of [read({ conversationId: "c-1", targetRegion: "us" }), write({ arguments: [1, "x", null] })]) {
      const { action } = await actions.propose(calling(agent), input);
      const stored = await actions.load(calling(agent), action.state.id);
      expect(stored?.state).toEqual(action.state);
      expect(stored?.proposal.entry).toBe(action.proposal.entry);
      expect(stored?.proposal.payload).toEqual(action.proposal.payload);
    }
  });

  it("records the arguments that were proposed, whatever they are called", async () => {
    const text = '{"__proto__":{"x":1},"constructor":"y","a":[1e21,-0.5,"\\u202e",{"":null}],"2":true,"10":false}';
    const { action } = await actions.propose(calling(agent), write({ arguments: JSON.parse(text) }));
    const stored = await actions.load(calling(agent), action.state.id);
    expect(JSON.stringify(stored?.proposal.payload?.arguments?.value)).toBe(
      JSON.stringify(
        JSON.parse('{"10":false,"2":true,"__proto__":{"x":1},"a":[1e21,-0.5,"\\u202e",{"":null}],"constructor":"y"}'),
      ),
    );
  });
});

describe("propose", () => {
  it("meets the action it made when repeated, without a second entry or grant", async () => {
    const input = read({ conversationId: "again", userRequest: "who is it?" });
    const first = await actions.propose(calling(agent), input);
    const second = await actions.propose(calling(agent), input);
    expect(second.entry.seq).toBe(first.entry.seq);
    expect(second.grant).toBeUndefined();
    expect(await typesOf(first.action.state.id)).toEqual(["ACTION_PROPOSED"]);
  });

  it("refuses the key of another proposal", async () => {
    const input = read({ rationale: "because" });
    await actions.propose(calling(agent), input);
    const others = [
      { arguments: { user_id: "someone_else" } },
      { tool: "calculate" },
      { rationale: "other" },
      { rationale: undefined },
      { userRequest: "x" },
      { conversationId: "other" },
      { targetRegion: "us" },
    ];
    for (const other of others) {
      const refusal = await refusalOf(actions.propose(calling(agent), { ...input, ...other }));
      expect(refusal).toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED", path: ["idempotencyKey"] });
    }
  });

  it("keeps the keys of different proposers apart", async () => {
    const input = read();
    const one = await actions.propose(calling(agent), input);
    const other = await actions.propose(calling({ ...agent, id: "agent-2" }), input);
    expect(other.action.state.id).not.toBe(one.action.state.id);
    const others = await actions.propose(calling({ ...agent, onBehalfOf: auditor }), input);
    expect(others.action.state.id).not.toBe(one.action.state.id);
  });

  it("makes one action of 32 proposals with one key at once", async () => {
    const input = read({ conversationId: "burst" });
    const results = await Promise.all(Array.from({ length: 32 }, () => actions.propose(calling(agent), input)));
    expect(new Set(results.map(({ entry }) => entry.seq)).size).toBe(1);
    expect(results.filter(({ grant }) => grant !== undefined)).toHaveLength(1);
  });

  it("takes its own pending action back for another, once it is recorded", async () => {
    const { id } = await pending();
    const { action } = await actions.propose(calling(agent), write({ supersedes: id }));
    expect(action.proposal.body.supersedes).toBe(id);
    const old = await actions.load(calling(agent), id);
    expect(old?.state.status).toBe("CANCELLED");
    const [, cancelled] = await entriesOf(process.pool, id);
    expect(cancelled?.body).toMatchObject({ reason: "SUPERSEDED", supersededBy: action.state.id });
    expect(cancelled!.seq).toBeGreaterThan(action.proposal.seq);
    const next = await actions.propose(calling(agent), write({ supersedes: id.toUpperCase() }));
    expect(next.action.state.status).toBe("PENDING");
  });

  it("supersedes nothing with a key that was used before, nor with itself, nor with what is blocked", async () => {
    const { id } = await pending();
    const input = write();
    await actions.propose(calling(agent), input);
    const reused = await refusalOf(actions.propose(calling(agent), { ...input, supersedes: id }));
    expect(reused.code).toBe("IDEMPOTENCY_KEY_REUSED");

    const fresh = write();
    const itself = actionIdOf(agent, fresh.idempotencyKey);
    const own = await refusalOf(actions.propose(calling(agent), { ...fresh, supersedes: itself }));
    expect(own).toMatchObject({ code: "INVALID_INPUT", path: ["supersedes"] });
    const made = await actions.propose(calling(agent), fresh);
    const again = await refusalOf(actions.propose(calling(agent), { ...fresh, supersedes: itself }));
    expect(again.code).toBe("IDEMPOTENCY_KEY_REUSED");
    expect((await actions.load(calling(agent), itself))?.state.status).toBe(made.action.state.status);

    const blocked = await actions.propose(calling(agent), read({ tool: "unknown", supersedes: id }));
    expect(blocked.action.state.status).toBe("BLOCKED");
    expect((await actions.load(calling(agent), id))?.state).toMatchObject({ status: "PENDING", version: 1 });
  });

  it("supersedes once however often and at once the call is repeated", async () => {
    const { id } = await pending();
    const input = write({ supersedes: id });
    const results = await Promise.all([1, 2, 3].map(() => actions.propose(calling(agent), input)));
    expect(new Set(results.map(({ entry }) => entry.seq)).size).toBe(1);
    await actions.propose(calling(agent), input);
    expect(await typesOf(id)).toEqual(["ACTION_PROPOSED", "ACTION_CANCELLED"]);
    expect((await actions.load(calling(agent), results[0]!.action.state.id))?.state).toMatchObject({
      status: "PENDING",
      version: 1,
    });
  });

  it("either supersedes or comes after the decision, when both happen at once", async () => {
    for (let round = 0; round < 10; round += 1) {
      const { id, digest } = await pending();
      const [superseding] = await Promise.all([
        actions.propose(calling(agent), write({ supersedes: id })).catch((error: unknown) => error),
        actions.approve(calling(approver), { actionId: id, digest, channel: "API" }).catch((error: unknown) => error),
      ]);
      const old = (await actions.load(calling(agent), id))!.state;
      expect(old.version).toBe(2);
      if (old.status === "CANCELLED") expect(superseding).toHaveProperty("action.state.status", "PENDING");
      else {
        expect(old.status).toBe("APPROVED");
        // Refused up front, or recorded while the approval was: then both stand.
        if (superseding instanceof Error) expect(superseding).toMatchObject({ code: "NOT_PENDING" });
        else expect(superseding).toHaveProperty("action.state.status", "PENDING");
      }
    }
  });

  it("supersedes neither what is another's, nor what is approved, nor what is unknown", async () => {
    const { id } = await approved();
    const late = await refusalOf(actions.propose(calling(agent), write({ supersedes: id })));
    expect(late).toMatchObject({ code: "NOT_PENDING", path: ["supersedes"] });
    const foreign = await refusalOf(
      actions.propose(calling({ ...agent, id: "agent-2" }), write({ supersedes: (await pending()).id })),
    );
    expect(foreign).toMatchObject({ code: "NOT_ALLOWED", path: ["supersedes"] });
    const unknown = await refusalOf(actions.propose(calling(agent), write({ supersedes: randomUUID() })));
    expect(unknown).toMatchObject({ code: "NOT_FOUND", path: ["supersedes"] });
  });
});

describe("decisions", () => {
  it.each([
    [
      "an agent with every role and group",
      { ...agent, id: "other", roles: ["admin", "approver"], groups: ["approvers"] },
      "AGENT_CANNOT_DECIDE",
    ],
    [
      "a service",
      { ...approver, id: "svc", kind: "SERVICE" as const, email: "svc@acme.example" },
      "AGENT_CANNOT_DECIDE",
    ],
    ["the person the agent acts for", { ...member, groups: ["approvers"] }, "REQUESTER_CANNOT_DECIDE"],
    [
      "that person's second account",
      { ...member, id: "member-2", email: "MEMBER@acme.example", groups: ["approvers"] },
      "REQUESTER_CANNOT_DECIDE",
    ],
    ["somebody outside the group", auditor, "NOT_ELIGIBLE"],
  ])("refuses %s, and records it", async (_, principal, code) => {
    const { id, digest } = await pending();
    for (const verdict of ["approve", "deny"] as const) {
      const refusal = await refusalOf(
        actions[verdict](calling(principal), { actionId: id, digest, note: "why", channel: "API" }),
      );
      expect(refusal.code).toBe(code);
      expect(refusal.entry?.type).toBe("DECISION_REFUSED");
      expect(refusal.action?.state.status).toBe("PENDING");
    }
    const [, one, two] = await entriesOf(process.pool, id);
    expect(one?.body).toMatchObject({ reason: code, actor: { id: principal.id }, decision: { verdict: "APPROVE" } });
    expect(two?.body).toMatchObject({ reason: code, decision: { verdict: "DENY" } });
  });

  it("refuses a person who proposed it directly, administrator or not", async () => {
    const { action } = await actions.propose(calling(admin), write());
    const { digest } = termsOf(action.proposal);
    const own = await refusalOf(actions.approve(calling(admin), { actionId: action.state.id, digest, channel: "API" }));
    expect(own.code).toBe("REQUESTER_CANNOT_DECIDE");
    const other = await actions.approve(calling(approver), { actionId: action.state.id, digest, channel: "API" });
    expect(other.action.state.status).toBe("APPROVED");
  });

  it("refuses another digest", async () => {
    const { id } = await pending();
    const { digest: another } = await pending();
    const refusal = await refusalOf(
      actions.approve(calling(approver), { actionId: id, digest: another, channel: "API" }),
    );
    expect(refusal).toMatchObject({ code: "DIGEST_MISMATCH", path: ["digest"] });
    expect((await actions.load(calling(agent), id))?.state.status).toBe("PENDING");
  });

  it("hides an action from another organization, and records nothing there", async () => {
    const { id, digest } = await pending();
    const caller = calling(outsider);
    for (const attempt of [
      () => actions.approve(caller, { actionId: id, digest, channel: "API" }),
      () => actions.deny(caller, { actionId: id, digest, note: "no", channel: "API" }),
      () => actions.cancel(caller, { actionId: id }),
      () => actions.claimGrant(caller, { actionId: id }),
      () => actions.complete(caller, { actionId: id, outcome: "SUCCEEDED" }),
      () => actions.approve(calling(approver), { actionId: "no-uuid", digest, channel: "API" }),
    ]) {
      expect((await refusalOf(attempt())).code).toBe("NOT_FOUND");
    }
    expect(await actions.load(caller, id)).toBeUndefined();
    expect(await typesOf(id)).toEqual(["ACTION_PROPOSED"]);
  });

  it("ends at a denial", async () => {
    const { id, digest } = await pending();
    const denied = await actions.deny(calling(approver), { actionId: id, digest, note: "no", channel: "CONSOLE" });
    expect(denied.action.state.status).toBe("DENIED");
    const late = await refusalOf(actions.approve(calling(approver2), { actionId: id, digest, channel: "API" }));
    expect(late.code).toBe("NOT_PENDING");
    expect((await refusalOf(actions.claimGrant(calling(agent), { actionId: id }))).code).toBe("NOT_APPROVED");
  });

  it.each([undefined, "", " \n\t"])("is not denied without a reason (%j)", async (note) => {
    const { id, digest } = await pending();
    const refusal = await refusalOf(
      actions.deny(calling(approver), {
        actionId: id,
        digest,
        channel: "API",
        ...(note === undefined ? {} : { note }),
      }),
    );
    expect(refusal).toMatchObject({ code: "INVALID_INPUT", path: ["note"] });
    expect(await typesOf(id)).toEqual(["ACTION_PROPOSED"]);
  });

  it("returns for each viewer what keeps them from deciding", async () => {
    const { id, digest } = await pending();
    const view = (await actions.load(calling(agent), id))!;
    expect(await actions.blockedBecause(view, calling(approver))).toEqual([]);
    expect(await actions.blockedBecause(view, calling(agent))).toEqual([
      "AGENT_CANNOT_DECIDE",
      "REQUESTER_CANNOT_DECIDE",
      "NOT_ELIGIBLE",
    ]);
    const { action } = await actions.deny(calling(approver), { actionId: id, digest, note: "no", channel: "API" });
    expect(await actions.blockedBecause(action, calling(approver))).toEqual(["NOT_PENDING"]);
  });

  it.each([
    ["the proposer", agent],
    ["the person it acts for", member],
    ["an administrator", admin],
  ])("lets %s cancel", async (_, principal) => {
    const { id } = await pending();
    const { action } = await actions.cancel(calling(principal), { actionId: id, note: "not needed" });
    expect(action.state.status).toBe("CANCELLED");
  });

  it("lets nobody else cancel, and nothing that was decided", async () => {
    const { id } = await pending();
    for (const principal of [
      approver,
      { ...agent, id: "agent-2", onBehalfOf: auditor },
      { ...agent, id: "x", roles: ["admin"] },
    ]) {
      expect((await refusalOf(actions.cancel(calling(principal), { actionId: id }))).code).toBe("NOT_ALLOWED");
    }
    const done = await approved();
    expect((await refusalOf(actions.cancel(calling(agent), { actionId: done.id }))).code).toBe("NOT_PENDING");
  });
});
