import { Erasable } from "../../../facts/erasable.ts";
import { sameCaller } from "../../identity/people.ts";
import type { ActionState, Situation } from "../action.ts";
import type { CompleteAction, ExtendExecution, ResolveAction } from "./command.ts";
import { isOver } from "./eligibility.ts";
import { grantOf } from "./grant.ts";
import { type NextState, type RefusedCommand, secondsAfter, type TransitionResult } from "./transition.ts";

/**
 * The outcome, reported by the caller that started the action. A report after the deadline is accepted as well, and marked late: what
 * became of the action matters more than when somebody said so.
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
  if (state.status !== "EXECUTING" && state.status !== "AMBIGUOUS") return notExecuting(state);
  return {
    kind: "transition",
    next: ended(state, outcome),
    fact: {
      type: "ACTION_COMPLETED",
      outcome,
      result: result === undefined ? undefined : new Erasable(result),
      error: error === undefined ? undefined : new Erasable(error),
      late: isLate(state, now) ? true : undefined,
      latencyMs: latencyOf(state, updatedAt, now),
    },
  };
}

/** The outcome that nobody reported, found out by a human administrator. */
export function resolveAction(
  { state, updatedAt }: Situation,
  { by, outcome, note }: ResolveAction,
  now: Date,
): TransitionResult {
  if (by.kind !== "HUMAN" || !by.roles.includes("admin")) {
    return { kind: "refusal", code: "NOT_ALLOWED", message: "only a human administrator can resolve an action" };
  }
  if (state.status === "EXECUTING") {
    const message = "the outcome can still be reported: wait until the action is AMBIGUOUS";
    return { kind: "refusal", code: "NOT_AMBIGUOUS", message };
  }
  if (state.status !== "AMBIGUOUS") {
    return { kind: "refusal", code: "NOT_AMBIGUOUS", message: `the action is ${state.status}, not AMBIGUOUS` };
  }
  return {
    kind: "transition",
    next: ended(state, outcome),
    fact: {
      type: "ACTION_COMPLETED",
      outcome,
      note: new Erasable(note),
      late: true,
      latencyMs: latencyOf(state, updatedAt, now),
    },
  };
}

/** More time for the caller that carries the action out: until `seconds` from now, and never beyond the limit of an execution. */
export function extendExecution(
  { state, terms, updatedAt }: Situation,
  { by, seconds, limit }: ExtendExecution,
  now: Date,
): TransitionResult {
  if (!sameCaller(by, terms.requestedBy)) {
    return { kind: "refusal", code: "NOT_ALLOWED", message: "only the caller that started the action can extend it" };
  }
  if (state.status !== "EXECUTING" || state.expiresAt === null) return notExecuting(state);
  if (isOver(state.expiresAt, now)) {
    const message = "the deadline has passed: report the outcome with completeAction, which is accepted all the same";
    return { kind: "refusal", code: "NOT_EXECUTING", message };
  }
  const expiresAt = secondsAfter(now, seconds);
  const last = secondsAfter(state.startedAt ?? updatedAt, limit);
  if (expiresAt > last) {
    const message = `an execution may take ${limit} seconds in all, this one until ${last.toISOString()}`;
    return { kind: "refusal", code: "EXECUTION_LIMIT", message, path: ["seconds"] };
  }
  if (expiresAt <= state.expiresAt) {
    const message = `the outcome may be reported until ${state.expiresAt.toISOString()} already`;
    return { kind: "refusal", code: "INVALID_INPUT", message, path: ["seconds"] };
  }
  return {
    kind: "transition",
    next: { ...ended(state, "EXECUTING"), expiresAt },
    fact: { type: "EXECUTION_EXTENDED" },
    notAfter: state.expiresAt,
  };
}

function notExecuting({ status }: ActionState): RefusedCommand {
  return { kind: "refusal", code: "NOT_EXECUTING", message: `the action is ${status}, not EXECUTING` };
}

function ended(state: ActionState, status: NextState["status"]): NextState {
  const { version, approvals, startedAt } = state;
  return { version: version + 1, status, approvals, startedAt: startedAt ?? undefined, grant: grantOf(state) };
}

function isLate({ status, expiresAt }: ActionState, now: Date): boolean {
  return status === "AMBIGUOUS" || isOver(expiresAt, now);
}

/** Milliseconds since the grant was redeemed, by the clock of the database. */
function latencyOf({ startedAt }: ActionState, updatedAt: Date, now: Date): number {
  return Math.max(0, now.getTime() - (startedAt ?? updatedAt).getTime());
}
