import type { Situation } from "../action.ts";
import { isOver } from "./eligibility.ts";
import { grantOf } from "./grant.ts";
import type { TransitionResult } from "./transition.ts";

/** Nobody decided in time, which counts as a denial. */
export function expire({ state }: Situation, now: Date): TransitionResult {
  if (state.status !== "PENDING" || !isOver(state.expiresAt, now)) return notDue("NOT_PENDING");
  return {
    kind: "transition",
    next: { version: state.version + 1, approvals: state.approvals, status: "EXPIRED" },
    fact: { type: "ACTION_EXPIRED", reason: "EXPIRED" },
  };
}

/** The outcome was not reported in time: the action may have been carried out, which people have to find out. */
export function markAmbiguous({ state }: Situation, now: Date): TransitionResult {
  if (state.status !== "EXECUTING" || !isOver(state.expiresAt, now)) return notDue("NOT_EXECUTING");
  return {
    kind: "transition",
    next: {
      version: state.version + 1,
      approvals: state.approvals,
      status: "AMBIGUOUS",
      startedAt: state.startedAt ?? undefined,
      grant: grantOf(state),
    },
    fact: { type: "ACTION_AMBIGUOUS", reason: "OUTCOME_NEVER_TOLD" },
  };
}

function notDue(code: "NOT_PENDING" | "NOT_EXECUTING"): TransitionResult {
  return { kind: "refusal", code, message: "no deadline of this action has passed" };
}
