import { Erasable } from "../../../facts/erasable.ts";
import { sameCaller, sharePerson } from "../../identity/people.ts";
import type { Principal } from "../../identity/principal.ts";
import type { Situation, Terms } from "../action.ts";
import type { Cancel } from "./command.ts";
import { isOver } from "./eligibility.ts";
import type { TransitionResult } from "./transition.ts";

/** Takes a proposal back before anybody decided: the proposer may, the person it is for, and a human administrator. */
export function cancel({ state, terms }: Situation, command: Cancel, now: Date): TransitionResult {
  if (!mayCancel(command.by, terms)) {
    const message = "only the proposer, the person it acts for or an administrator can cancel an action";
    return { kind: "refusal", code: "NOT_ALLOWED", message };
  }
  if (state.status !== "PENDING") {
    return { kind: "refusal", code: "NOT_PENDING", message: `the action is ${state.status} and cannot be cancelled` };
  }
  if (isOver(state.expiresAt, now)) {
    return { kind: "refusal", code: "EXPIRED", message: "the action has expired already" };
  }
  const { note, supersededBy } = command;
  return {
    kind: "transition",
    next: { version: state.version + 1, approvals: state.approvals, status: "CANCELLED" },
    fact: {
      type: "ACTION_CANCELLED",
      reason: supersededBy === undefined ? undefined : "SUPERSEDED",
      supersededBy,
      note: note === undefined ? undefined : new Erasable(note),
    },
    notAfter: state.expiresAt ?? undefined,
  };
}

function mayCancel(by: Principal, { requestedBy }: Terms): boolean {
  if (sameCaller(by, requestedBy)) return true;
  return by.kind === "HUMAN" && (by.roles.includes("admin") || sharePerson(by, requestedBy));
}
