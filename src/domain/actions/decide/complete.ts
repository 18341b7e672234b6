import { Erasable } from "../../../facts/erasable.ts";
import { sameCaller } from "../../identity/people.ts";
import type { Situation } from "../action.ts";
import type { CompleteAction } from "./command.ts";
import { grantOf } from "./grant.ts";
import type { TransitionResult } from "./transition.ts";

/**
 * The outcome, reported by the caller that started the action. A report after the deadline is accepted as long as the action
 * was not marked AMBIGUOUS.
 */
export function completeAction(
  { state, terms, updatedAt }: Situation,
  command: CompleteAction,
  now: Date,
): TransitionResult {
  const { by, outcome, result, error } = command;
  if (!sameCaller(by, terms.requestedBy)) {
    return { kind: "refusal", code: "NOT_ALLOWED", message: "only the caller that started the action can complete it" };
  }
  if (state.status !== "EXECUTING") {
    return { kind: "refusal", code: "NOT_EXECUTING", message: `the action is ${state.status}, not EXECUTING` };
  }
  return {
    kind: "transition",
    next: { version: state.version + 1, status: outcome, approvals: state.approvals, grant: grantOf(state) },
    fact: {
      type: "ACTION_COMPLETED",
      outcome,
      result: result === undefined ? undefined : new Erasable(result),
      error: error === undefined ? undefined : new Erasable(error),
      // The state last changed when the grant was redeemed; both instants are the database's.
      latencyMs: Math.max(0, now.getTime() - updatedAt.getTime()),
    },
  };
}
