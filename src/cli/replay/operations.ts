import { z } from "zod";
import { ACTION_STATUSES, EFFECTS } from "../../facts/areas/actions.ts";
import type { Operation } from "../api.ts";

/** All operations of a replay, with the types of their responses. */

const status = z.enum(ACTION_STATUSES);
export type ActionStatus = z.infer<typeof status>;

/** An action that ends like this was never carried out. */
export const NOT_RUN: readonly ActionStatus[] = ["DENIED", "EXPIRED", "CANCELLED"];

const userErrors = z.array(z.object({ code: z.string(), message: z.string() }));
export type UserErrors = z.infer<typeof userErrors>;

const effect = z.enum(EFFECTS);
const grant = z.object({ token: z.string() }).nullable();
const moved = z.object({ action: z.object({ status }).nullable(), userErrors });

const proposed = z.object({
  action: z
    .object({
      id: z.string(),
      status,
      effect,
      digest: z.string(),
      policy: z.object({ matchedRules: z.array(z.object({ ruleId: z.string() })) }),
    })
    .nullable(),
  grant,
  userErrors,
});

export const PROPOSE: Operation<{ proposeAction: z.infer<typeof proposed> }> = {
  document: `mutation Propose($input: ProposeActionInput!) {
    proposeAction(input: $input) {
      action { id status effect digest policy { matchedRules { ruleId } } }
      grant { token }
      userErrors { code message }
    }
  }`,
  answer: z.object({ proposeAction: proposed }),
};

export const APPROVE: Operation<{ approveAction: z.infer<typeof moved> }> = {
  document: `mutation Approve($input: ApproveActionInput!) {
    approveAction(input: $input) { action { status } userErrors { code message } }
  }`,
  answer: z.object({ approveAction: moved }),
};

const claimed = z.object({ grant, action: z.object({ status }).nullable(), userErrors });

export const CLAIM: Operation<{ claimGrant: z.infer<typeof claimed> }> = {
  document: `mutation Claim($input: ClaimGrantInput!) {
    claimGrant(input: $input) { grant { token } action { status } userErrors { code message } }
  }`,
  answer: z.object({ claimGrant: claimed }),
};

export const REDEEM: Operation<{ redeemGrant: z.infer<typeof moved> }> = {
  document: `mutation Redeem($input: RedeemGrantInput!) {
    redeemGrant(input: $input) { action { status } userErrors { code message } }
  }`,
  answer: z.object({ redeemGrant: moved }),
};

export const COMPLETE: Operation<{ completeAction: z.infer<typeof moved> }> = {
  document: `mutation Complete($input: CompleteActionInput!) {
    completeAction(input: $input) { action { status } userErrors { code message } }
  }`,
  answer: z.object({ completeAction: moved }),
};

const record = z.object({
  status,
  digest: z.string(),
  policy: z.object({ outcome: z.string(), requirements: z.array(z.object({ needed: z.number() })) }),
  decisions: z.array(z.object({ verdict: z.string(), approver: z.object({ id: z.string(), kind: z.string() }) })),
  entries: z.array(z.object({ seq: z.string(), type: z.string() })),
});
type ActionRecord = z.infer<typeof record>;

/** An action as recorded in the ledger. */
export const READ_ACTION: Operation<{ action: ActionRecord | null }> = {
  document: `query ReadAction($id: ID!) {
    action(id: $id) {
      status digest policy { outcome requirements { needed } } decisions { verdict approver { id kind } } entries { seq type }
    }
  }`,
  answer: z.object({ action: record.nullable() }),
};

export const pendingEvent = z.object({
  pendingApprovals: z.object({
    change: z.enum(["ADDED", "UPDATED", "REMOVED", "HEARTBEAT"]),
    action: z.object({ id: z.string(), digest: z.string() }).nullable(),
  }),
});

/** What an approver's inbox listens to. */
export const FOLLOW_PENDING = `subscription FollowPending($after: Sequence) {
  pendingApprovals(after: $after, onlyDecidable: true) { change action { id digest } }
}`;

const sessionId = z.object({ id: z.string() });
const sessions = z.object({ nodes: z.array(sessionId) });
const lately = z.object({ nodes: z.array(z.object({ endReason: z.string().nullable() })) });

/** What a conversation has of sessions: those that go on, and how the latest ended. */
export const CONVERSATION_SESSIONS: Operation<{
  open: z.infer<typeof sessions>;
  latest: z.infer<typeof lately>;
}> = {
  document: `query ConversationSessions($conversation: String!) {
    open: sessions(filter: { conversationId: $conversation, active: true }, first: 1) { nodes { id } }
    latest: sessions(filter: { conversationId: $conversation }, newestFirst: true, first: 1) { nodes { endReason } }
  }`,
  answer: z.object({ open: sessions, latest: lately }),
};

/** The sessions of a conversation that go on. */
export const OPEN_SESSIONS: Operation<{ sessions: z.infer<typeof sessions> }> = {
  document: `query OpenSessions($conversation: String!) {
    sessions(filter: { conversationId: $conversation, active: true }, first: 100) { nodes { id } }
  }`,
  answer: z.object({ sessions }),
};

const inSession = z.object({ session: sessionId.nullable(), userErrors });

export const START_SESSION: Operation<{ startSession: z.infer<typeof inSession> }> = {
  document: `mutation StartSession($input: StartSessionInput!) {
    startSession(input: $input) { session { id } userErrors { code message } }
  }`,
  answer: z.object({ startSession: inSession }),
};

export const END_SESSION: Operation<{ endSession: z.infer<typeof inSession> }> = {
  document: `mutation EndSession($input: EndSessionInput!) {
    endSession(input: $input) { session { id } userErrors { code message } }
  }`,
  answer: z.object({ endSession: inSession }),
};

const head = z.object({ seq: z.string(), hash: z.string() });

export const READ_HEAD: Operation<{ ledger: { head: z.infer<typeof head> } }> = {
  document: "query ReadHead { ledger { head { seq hash } } }",
  answer: z.object({ ledger: z.object({ head }) }),
};
