import { BREAK_GLASS_ROLE, MAX_BREAK_GLASS_TTL } from "../../../facts/areas/break-glass.ts";
import { OWN_PLATFORM } from "../../../facts/areas/policy.ts";
import { Erasable } from "../../../facts/erasable.ts";
import type { Situation, Terms } from "../action.ts";
import type { BreakGlass } from "./command.ts";
import { AGAIN, objections } from "./eligibility.ts";
import { isRequester, isUnknown, responsibleAs } from "./people.ts";
import { type RefusedCommand, secondsAfter, type TransitionResult } from "./transition.ts";

/**
 * One person approves alone what would need more, in an emergency: with the role for it, never what they asked for, or may have, nor what
 * the policy forbids. It may be started for a quarter of an hour at most, and stays marked until somebody else has looked into it.
 */
export function breakGlass(situation: Situation, command: BreakGlass, now: Date): TransitionResult {
  const { state, terms } = situation;
  const refused = why(situation, command, now);
  if (refused !== undefined) return { kind: "refusal", recordedAs: "DECISION_REFUSED", ...refused };
  const ttl = Math.min(command.grantTtl, MAX_BREAK_GLASS_TTL);
  return {
    kind: "transition",
    next: {
      version: state.version + 1,
      approvals: state.approvals,
      status: "APPROVED",
      grant: { expiresAt: secondsAfter(now, ttl) },
    },
    fact: {
      type: "ACTION_BROKEN_GLASS",
      requestedBy: requesterIn(terms),
      reason: new Erasable(command.reason),
      channel: command.channel,
    },
    alsoMoves: [{ kind: "GLASS", id: terms.actionId, version: 1, state: { status: "UNREVIEWED", by: command.by.id } }],
    notAfter: state.expiresAt ?? undefined,
  };
}

/** Who cannot say afterwards whether it was justified. */
function requesterIn({ requestedBy: { id, onBehalfOf } }: Terms) {
  return { id, ...(onBehalfOf === undefined ? {} : { onBehalfOf: onBehalfOf.id }) };
}

type Why = Omit<Extract<RefusedCommand, { readonly recordedAs: "DECISION_REFUSED" }>, "kind" | "recordedAs">;

function why(situation: Situation, { by, digest }: BreakGlass, now: Date): Why | undefined {
  const { terms, today } = situation;
  if (by.kind !== "HUMAN" || by.onBehalfOf !== undefined) {
    return { code: "AGENT_CANNOT_DECIDE", message: "only a person can decide; agents and services never can" };
  }
  if (isRequester(situation, by) || responsibleAs(situation, by) !== undefined) {
    const message = "whoever asked for an action, or is responsible for its agent, cannot break the glass for it";
    return { code: "REQUESTER_CANNOT_DECIDE", message };
  }
  if (!by.roles.includes(BREAK_GLASS_ROLE)) {
    return { code: "NOT_ELIGIBLE", message: `only people with the role ${BREAK_GLASS_ROLE} can do this` };
  }
  if (terms.platform === OWN_PLATFORM) {
    return { code: "NOT_ELIGIBLE", message: "what governs all actions is never approved by one person in a hurry" };
  }
  if (isUnknown(situation, by, [])) {
    const message = "it is not known whether you are another person than those who asked: you need a verified address";
    return { code: "NOT_ELIGIBLE", message };
  }
  const [late] = objections(situation, by, now).filter(
    ({ code }) => code === "NOT_PENDING" || code === "EXPIRED" || code === "CONTENT_MISSING",
  );
  if (late !== undefined) return late;
  if (today === undefined || today.outcome === "FORBID") {
    return { code: "POLICY_CHANGED", message: `the policy forbids it now; ${AGAIN}` };
  }
  if (today.suspendedRequester !== undefined) {
    return {
      code: "POLICY_CHANGED",
      message: `${today.suspendedRequester}, for whom it would be done, is suspended; ${AGAIN}`,
    };
  }
  if (digest === terms.digest) return undefined;
  const message = "the digest is not that of this action: look at the action as it is before deciding";
  return { code: "DIGEST_MISMATCH", message, path: ["digest"] };
}
