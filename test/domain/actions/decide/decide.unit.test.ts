import { describe, expect, it } from "vitest";
import type { Situation } from "../../../../src/domain/actions/action.ts";
import type { FollowUp } from "../../../../src/domain/actions/decide/command.ts";
import { decide } from "../../../../src/domain/actions/decide/decide.ts";
import { firstState } from "../../../../src/domain/actions/decide/propose.ts";
import { ACTION_STATUSES, type ActionStatus } from "../../../../src/facts/areas/actions.ts";
import { instant } from "../../../../src/facts/entry.ts";
import { admin, agent, approver, approver2, auditor, member } from "../../support.ts";

const NOW = new Date("2026-11-21T12:00:00Z");
const ahead = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);
const DIGEST = `sha256:${"a".repeat(64)}` as const;
const HASH = "ab".repeat(32);

/** The action in `status`, its deadlines `left` seconds ahead. */
function situation(status: ActionStatus, left = 60): Situation {
  const waits = status === "PENDING" || status === "EXECUTING";
  const granted = ["ALLOWED", "APPROVED", "EXECUTING", "SUCCEEDED", "FAILED", "AMBIGUOUS"].includes(status);
  return {
    state: {
      ledger: "acme/eu",
      id: "action",
      version: 3,
      status,
      agentId: agent.id,
      approvals: status === "APPROVED" ? 1 : 0,
      expiresAt: waits ? ahead(left) : null,
      startedAt: ["EXECUTING", "SUCCEEDED", "FAILED", "AMBIGUOUS"].includes(status) ? ahead(-7) : null,
      grantId: granted ? "grant" : null,
      grantHash: granted ? Buffer.from(HASH, "hex") : null,
      grantExpiresAt: granted ? ahead(left) : null,
      proposedSeq: 1n,
      updatedSeq: 3n,
      entries: [1n, 2n, 3n],
    },
    terms: {
      actionId: "action",
      platform: "crm",
      tool: "tool",
      effect: "WRITE",
      region: "eu",
      chain: "chain",
      sourceChain: undefined,
      digest: DIGEST,
      policyHash: DIGEST,
      requestedBy: agent,
      requirements: [{ id: "r", group: "approvers", needed: 1 }],
    },
    voters: status === "APPROVED" ? [{ ...approver, seq: 2n, isUnknown: false }] : [],
    updatedAt: ahead(-3),
  };
}

const grant = { id: "grant", actionId: "action", audience: "agent", digest: DIGEST, expiresAt: ahead(60), hash: HASH };
const COMMANDS = {
  approve: { type: "approve", by: approver, digest: DIGEST, channel: "API", assurance: "SESSION", grantTtl: 900 },
  deny: { type: "deny", by: approver, digest: DIGEST, channel: "API", assurance: "SESSION", note: "no" },
  // Nobody knows what today's policy says of it.
  breakGlass: {
    type: "breakGlass",
    by: { ...approver, roles: ["break-glass"] },
    digest: DIGEST,
    reason: "fire",
    channel: "API",
    grantTtl: 900,
  },
  revokeApproval: { type: "revokeApproval", by: approver, note: "no" },
  voidApproval: { type: "voidApproval", approver: approver.id },
  cancel: { type: "cancel", by: agent },
  claimGrant: { type: "claimGrant", by: agent, grantId: "fresh" },
  redeemGrant: { type: "redeemGrant", by: agent, grant, digest: DIGEST, executionTtl: 300 },
  completeAction: { type: "completeAction", by: agent, outcome: "SUCCEEDED" },
  resolveAction: { type: "resolveAction", by: admin, outcome: "FAILED", note: "looked" },
  extendExecution: { type: "extendExecution", by: agent, seconds: 90, limit: 100 },
  expire: { type: "expire" },
  markAmbiguous: { type: "markAmbiguous" },
} as const satisfies Record<FollowUp["type"], FollowUp>;

/** What each command does to each status while deadlines are ahead: the next status, or why not. */
const AHEAD: Record<FollowUp["type"], Record<ActionStatus, string>> = {
  approve: every("NOT_PENDING", { PENDING: "-> APPROVED" }),
  deny: every("NOT_PENDING", { PENDING: "-> DENIED", APPROVED: "-> DENIED" }),
  breakGlass: every("NOT_PENDING", { PENDING: "POLICY_CHANGED" }),
  revokeApproval: every("NOT_ALLOWED", { APPROVED: "-> DENIED" }),
  voidApproval: every("NOT_APPROVED", { APPROVED: "-> DENIED" }),
  cancel: every("NOT_PENDING", { PENDING: "-> CANCELLED" }),
  claimGrant: every("NOT_APPROVED", {
    ALLOWED: "-> ALLOWED",
    APPROVED: "-> APPROVED",
    EXECUTING: "GRANT_SPENT",
    SUCCEEDED: "GRANT_SPENT",
    FAILED: "GRANT_SPENT",
    AMBIGUOUS: "GRANT_SPENT",
  }),
  redeemGrant: every("GRANT_VOID", {
    ALLOWED: "-> EXECUTING",
    APPROVED: "-> EXECUTING",
    EXECUTING: "GRANT_SPENT",
    SUCCEEDED: "GRANT_SPENT",
    FAILED: "GRANT_SPENT",
    AMBIGUOUS: "GRANT_SPENT",
  }),
  completeAction: every("NOT_EXECUTING", { EXECUTING: "-> SUCCEEDED", AMBIGUOUS: "-> SUCCEEDED" }),
  resolveAction: every("NOT_AMBIGUOUS", { AMBIGUOUS: "-> FAILED" }),
  extendExecution: every("NOT_EXECUTING", { EXECUTING: "-> EXECUTING" }),
  expire: every("NOT_PENDING", {}),
  markAmbiguous: every("NOT_EXECUTING", {}),
};

/** The same once deadlines have passed. */
const PASSED: typeof AHEAD = {
  approve: { ...AHEAD.approve, PENDING: "EXPIRED" },
  deny: { ...AHEAD.deny, PENDING: "EXPIRED", APPROVED: "EXPIRED" },
  breakGlass: { ...AHEAD.breakGlass, PENDING: "EXPIRED" },
  revokeApproval: { ...AHEAD.revokeApproval, APPROVED: "EXPIRED" },
  voidApproval: { ...AHEAD.voidApproval, APPROVED: "EXPIRED" },
  cancel: { ...AHEAD.cancel, PENDING: "EXPIRED" },
  claimGrant: { ...AHEAD.claimGrant, ALLOWED: "GRANT_EXPIRED", APPROVED: "GRANT_EXPIRED" },
  redeemGrant: { ...AHEAD.redeemGrant, ALLOWED: "GRANT_EXPIRED", APPROVED: "GRANT_EXPIRED" },
  completeAction: AHEAD.completeAction,
  resolveAction: AHEAD.resolveAction,
  extendExecution: { ...AHEAD.extendExecution, EXECUTING: "NOT_EXECUTING" },
  expire: { ...AHEAD.expire, PENDING: "-> EXPIRED" },
  markAmbiguous: { ...AHEAD.markAmbiguous, EXECUTING: "-> AMBIGUOUS" },
};

function every(answer: string, except: Partial<Record<ActionStatus, string>>): Record<ActionStatus, string> {
  const table = Object.fromEntries(ACTION_STATUSES.map((status) => [status, answer]));
  return { ...table, ...except } as Record<ActionStatus, string>;
}

const cases = (table: typeof AHEAD) =>
  Object.values(COMMANDS).flatMap((command) =>
    ACTION_STATUSES.map((status) => ({ command, status, answer: table[command.type][status] })),
  );

function answerOf(subject: Situation, command: FollowUp): string {
  const result = decide(subject, command, NOW);
  if (result.kind === "refusal") return result.code;
  expect(result.next.version).toBe(subject.state.version + 1);
  return `-> ${result.next.status}`;
}

describe("decide", () => {
  it.each(cases(AHEAD))("$command.type on $status: $answer", ({ command, status, answer }) => {
    expect(answerOf(situation(status), command)).toBe(answer);
  });

  it.each(cases(PASSED))("$command.type on $status after its deadline: $answer", ({ command, status, answer }) => {
    expect(answerOf(situation(status, -1), command)).toBe(answer);
  });

  it("takes a deadline as over at its very instant", () => {
    expect(answerOf(situation("PENDING", 0), COMMANDS.approve)).toBe("EXPIRED");
    expect(answerOf(situation("PENDING", 0), COMMANDS.expire)).toBe("-> EXPIRED");
    expect(answerOf(situation("PENDING", 0.001), COMMANDS.approve)).toBe("-> APPROVED");
    expect(answerOf(situation("PENDING", 0.001), COMMANDS.expire)).toBe("NOT_PENDING");
  });

  it("starts the life of the grant at approval", () => {
    expect(decide(situation("PENDING"), COMMANDS.approve, NOW)).toMatchObject({
      fact: { type: "ACTION_APPROVED" },
      next: { status: "APPROVED", approvals: 1, grant: { expiresAt: ahead(900) } },
    });
  });

  it("does not prolong it by claiming", () => {
    expect(decide(situation("APPROVED", 42), COMMANDS.claimGrant, NOW)).toMatchObject({
      next: { grant: { id: "fresh", expiresAt: ahead(42) } },
      fact: { grant: { id: "fresh", voids: "grant" } },
    });
  });

  it("gives an execution its own deadline, and measures it from redemption", () => {
    expect(decide(situation("APPROVED"), COMMANDS.redeemGrant, NOW)).toMatchObject({
      next: { status: "EXECUTING", expiresAt: ahead(300), grant: { id: "grant", hash: HASH } },
    });
    expect(decide(situation("EXECUTING"), COMMANDS.completeAction, NOW)).toMatchObject({ fact: { latencyMs: 7000 } });
  });

  it("lets who asked for it approve from the time on that a requirement says, and not before", () => {
    const alone = (seconds: number, by = admin) => {
      const pending = situation("PENDING");
      const asked = {
        id: "floor",
        group: "admin",
        role: true,
        needed: 1,
        requesterAfter: instant(ahead(seconds)),
      } as const;
      const subject = { ...pending, terms: { ...pending.terms, requestedBy: admin, requirements: [asked] } };
      return answerOf(subject, { ...COMMANDS.approve, by });
    };
    expect([alone(-1), alone(0), alone(0.001)]).toEqual(["-> APPROVED", "-> APPROVED", "REQUESTER_CANNOT_DECIDE"]);
    expect([alone(-1, approver), alone(-1, agent)]).toEqual(["NOT_ELIGIBLE", "AGENT_CANNOT_DECIDE"]);
  });

  it("leaves a quorum pending until it is full", () => {
    const two = { ...situation("PENDING").terms, requirements: [{ id: "r", group: "approvers", needed: 2 }] };
    const first = { ...situation("PENDING"), terms: two };
    expect(decide(first, COMMANDS.approve, NOW)).toMatchObject({
      next: { status: "PENDING", approvals: 1, expiresAt: ahead(60) },
    });
    const voted = {
      ...first,
      state: { ...first.state, approvals: 1 },
      voters: [{ ...approver, seq: 2n, isUnknown: false }],
    };
    expect(decide(voted, COMMANDS.approve, NOW)).toMatchObject({ code: "ALREADY_VOTED" });
    const account = { ...approver, id: "approver-again" };
    expect(decide(voted, { ...COMMANDS.approve, by: account }, NOW)).toMatchObject({ code: "ALREADY_VOTED" });
    const other = { ...approver, id: "other", email: "other@acme.example" };
    expect(decide(voted, { ...COMMANDS.approve, by: other }, NOW)).toMatchObject({
      next: { status: "APPROVED", approvals: 2 },
    });
    expect(decide(voted, COMMANDS.deny, NOW)).toMatchObject({ next: { status: "DENIED" } });
  });
});

describe("revokeApproval", () => {
  const forPerson = { ...agent, onBehalfOf: member };
  const asked = situation("APPROVED");
  const of = { ...asked, terms: { ...asked.terms, requestedBy: forPerson } };

  it.each([
    ["who approved", approver, "-> DENIED"],
    ["another account of who approved", { ...approver, id: "approver-again" }, "-> DENIED"],
    ["the person it is for", member, "-> DENIED"],
    ["an administrator", admin, "-> DENIED"],
    ["another approver", approver2, "NOT_ALLOWED"],
    ["the agent that proposed it", forPerson, "NOT_ALLOWED"],
    ["an agent with the role admin", { ...agent, id: "machine", roles: ["admin"] }, "NOT_ALLOWED"],
  ] as const)("by %s", (_, by, answer) => {
    expect(answerOf(of, { ...COMMANDS.revokeApproval, by })).toBe(answer);
  });

  it("keeps the grant, so that a token of it is known for what it was", () => {
    expect(decide(of, COMMANDS.revokeApproval, NOW)).toMatchObject({
      next: { status: "DENIED", grant: { id: "grant", hash: HASH } },
      notAfter: ahead(60),
    });
  });
});

describe("what nobody reported in time", () => {
  it("is marked late, whoever says what came of it", () => {
    const { completeAction, resolveAction } = COMMANDS;
    expect(decide(situation("EXECUTING"), completeAction, NOW)).toMatchObject({ fact: { late: undefined } });
    expect(decide(situation("EXECUTING", -1), completeAction, NOW)).toMatchObject({ fact: { late: true } });
    expect(decide(situation("AMBIGUOUS"), completeAction, NOW)).toMatchObject({
      fact: { late: true, latencyMs: 7000 },
    });
    expect(decide(situation("AMBIGUOUS"), resolveAction, NOW)).toMatchObject({
      fact: { late: true, outcome: "FAILED" },
    });
  });

  it.each([member, approver, auditor, { ...agent, roles: ["admin"] }])("is not resolved by $id", (by) => {
    expect(answerOf(situation("AMBIGUOUS"), { ...COMMANDS.resolveAction, by })).toBe("NOT_ALLOWED");
  });
});

describe("propose", () => {
  const command = { type: "propose", grantId: "g", approvalTtl: 60, grantTtl: 30 } as const;

  it.each([
    ["PERMIT", { status: "ALLOWED", grant: { id: "g", expiresAt: ahead(30) } }],
    ["REQUIRE", { status: "PENDING", expiresAt: ahead(60) }],
    ["FORBID", { status: "BLOCKED" }],
  ] as const)("%s", (outcome, next) => {
    expect(firstState({ ...command, outcome }, NOW)).toEqual({ version: 1, approvals: 0, ...next });
  });
});
