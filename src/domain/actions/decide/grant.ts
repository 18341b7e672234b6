import type { GrantRefusal } from "../../../facts/areas/actions.ts";
import { sameCaller } from "../../identity/people.ts";
import type { ActionState, Situation } from "../action.ts";
import type { ClaimGrant, RedeemGrant } from "./command.ts";
import { AGAIN, CONTENT_MISSING, isOver } from "./eligibility.ts";
import { policyChanged } from "./today.ts";
import { type NextGrant, type RefusedGrant, secondsAfter, type TransitionResult } from "./transition.ts";

/**
 * A fresh grant for the proposer; whatever was issued before is void. Its life began when the action became free to
 * start, and claiming again does not prolong it: an approval is not for ever.
 */
export function claimGrant(situation: Situation, command: ClaimGrant, now: Date): TransitionResult {
  const { state, terms, contentMissing } = situation;
  if (!sameCaller(command.by, terms.requestedBy)) {
    return refusal("GRANT_FOREIGN", "only the caller that proposed the action can claim its grant");
  }
  if (wasStarted(state)) return refusal("GRANT_SPENT", `the grant was spent; the action is ${state.status}`);
  if (!mayStart(state) || state.grantExpiresAt === null) {
    return {
      kind: "refusal",
      code: "NOT_APPROVED",
      message: `the action is ${state.status}; there is no grant for it`,
    };
  }
  if (isOver(state.grantExpiresAt, now))
    return refusal("GRANT_EXPIRED", "the deadline to start this action has passed");
  if (contentMissing === true) return refusal("CONTENT_MISSING", CONTENT_MISSING);
  const changed = policyChanged(situation, "claim");
  if (changed !== undefined) return refusal("POLICY_CHANGED", `${changed}; ${AGAIN}`);
  return {
    kind: "transition",
    next: {
      version: state.version + 1,
      status: state.status,
      approvals: state.approvals,
      grant: { id: command.grantId, expiresAt: state.grantExpiresAt },
    },
    fact: { type: "GRANT_ISSUED", grant: { id: command.grantId, voids: state.grantId ?? undefined } },
    notAfter: state.grantExpiresAt,
  };
}

/** Spends the grant. From here on only the outcome is missing. */
export function redeemGrant(situation: Situation, command: RedeemGrant, now: Date): TransitionResult {
  const { state, terms, contentMissing } = situation;
  const { by, grant, digest, executionTtl } = command;
  if (grant === undefined)
    return refusal("GRANT_INVALID", "this is not a grant of this installation, or it was altered");
  if (grant.audience !== by.id || !sameCaller(by, terms.requestedBy)) {
    return refusal("GRANT_FOREIGN", "the grant was issued to another caller");
  }
  if (grant.key !== undefined && grant.key !== command.key) {
    return refusal("GRANT_FOREIGN", "the grant is bound to a key that this call did not prove to hold");
  }
  if (grant.id !== state.grantId) return refusal("GRANT_VOID", "a later grant was issued in place of this one");
  if (grant.hash !== hashOf(state)) return refusal("GRANT_INVALID", "the grant was altered");
  if (wasStarted(state)) return refusal("GRANT_SPENT", `the grant was spent; the action is ${state.status}`);
  if (!mayStart(state)) return refusal("GRANT_INVALID", `the action is ${state.status}; no grant of it is good`);
  if (isOver(state.grantExpiresAt, now)) return refusal("GRANT_EXPIRED", "the grant has expired");
  if (contentMissing === true) return refusal("CONTENT_MISSING", CONTENT_MISSING);
  if (grant.digest !== terms.digest || digest !== terms.digest) {
    return { ...refusal("DIGEST_MISMATCH", "what is about to run is not what was approved"), path: ["digest"] };
  }
  const changed = policyChanged(situation, "redeem");
  if (changed !== undefined) return refusal("POLICY_CHANGED", `${changed}; ${AGAIN}`);
  return {
    kind: "transition",
    next: {
      version: state.version + 1,
      status: "EXECUTING",
      approvals: state.approvals,
      expiresAt: secondsAfter(now, executionTtl),
      startedAt: now,
      grant: grantOf(state),
    },
    fact: { type: "GRANT_REDEEMED", grant: { id: grant.id } },
    notAfter: state.grantExpiresAt ?? undefined,
  };
}

/** The grant of `state`. It is kept so that a replayed grant can be distinguished from a forged one. */
export function grantOf(state: ActionState): NextGrant | undefined {
  if (state.grantExpiresAt === null) return undefined;
  return { id: state.grantId ?? undefined, hash: hashOf(state), expiresAt: state.grantExpiresAt };
}

function hashOf({ grantHash }: ActionState): string | undefined {
  return grantHash === null ? undefined : Buffer.from(grantHash).toString("hex");
}

function mayStart({ status }: ActionState): boolean {
  return status === "ALLOWED" || status === "APPROVED";
}

export function wasStarted({ status }: ActionState): boolean {
  return status === "EXECUTING" || status === "SUCCEEDED" || status === "FAILED" || status === "AMBIGUOUS";
}

function refusal(code: GrantRefusal, message: string): RefusedGrant {
  return { kind: "refusal", code, message, recordedAs: "GRANT_REFUSED" };
}
