import { Erasable } from "../../../facts/erasable.ts";
import { sharePerson } from "../../identity/people.ts";
import type { Principal } from "../../identity/principal.ts";
import type { Situation } from "../action.ts";
import type { RevokeApproval, VoidApproval } from "./command.ts";
import { isOver } from "./eligibility.ts";
import { grantOf, wasStarted } from "./grant.ts";
import type { RefusedCommand, StepFact, Transition, TransitionResult } from "./transition.ts";

/** Takes a yes back before the action is started: one of its approvers may, an administrator, and the person it is for. */
export function revokeApproval(situation: Situation, { by, note }: RevokeApproval, now: Date): TransitionResult {
  if (!mayRevoke(situation, by)) {
    const message = "only who approved the action, the person it is for or an administrator can take an approval back";
    return { kind: "refusal", code: "NOT_ALLOWED", message };
  }
  return (
    tooLate(situation, now) ??
    denied(situation, { type: "APPROVAL_REVOKED", note: new Erasable(note), reason: undefined, approver: undefined })
  );
}

/** An approver was suspended: what rests on their yes is not started any more. */
export function voidApproval(situation: Situation, { approver }: VoidApproval, now: Date): TransitionResult {
  const { voters, brokenGlass } = situation;
  if (
    brokenGlass?.id !== approver &&
    !voters.some(({ id, delegatedBy }) => id === approver || delegatedBy?.id === approver)
  ) {
    return { kind: "refusal", code: "NOT_APPROVED", message: `the action has no approval of ${approver}` };
  }
  return (
    tooLate(situation, now) ?? denied(situation, { type: "APPROVAL_REVOKED", reason: "APPROVER_SUSPENDED", approver })
  );
}

function mayRevoke({ voters, terms, brokenGlass }: Situation, by: Principal): boolean {
  if (by.kind !== "HUMAN") return false;
  return (
    by.roles.includes("admin") ||
    [...voters, ...(brokenGlass === undefined ? [] : [brokenGlass])].some((voter) => sharePerson(voter, by)) ||
    by.id === terms.requestedBy.id ||
    sharePerson(by, terms.requestedBy)
  );
}

function tooLate({ state }: Situation, now: Date): RefusedCommand | undefined {
  if (wasStarted(state)) {
    return { kind: "refusal", code: "GRANT_SPENT", message: `the action was started: it is ${state.status}` };
  }
  if (state.status !== "APPROVED") {
    const message = `the action is ${state.status}; only an APPROVED one has an approval to take back`;
    return { kind: "refusal", code: "NOT_APPROVED", message };
  }
  if (isOver(state.grantExpiresAt, now)) {
    return { kind: "refusal", code: "EXPIRED", message: "the deadline to start the action has passed" };
  }
  return undefined;
}

function denied({ state }: Situation, fact: StepFact): Transition {
  return {
    kind: "transition",
    next: { version: state.version + 1, approvals: state.approvals, status: "DENIED", grant: grantOf(state) },
    fact,
    notAfter: state.grantExpiresAt ?? undefined,
  };
}
