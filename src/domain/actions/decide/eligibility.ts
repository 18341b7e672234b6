import type { DecisionRefusal } from "../../../facts/areas/actions.ts";
import { type Asked, isAsked } from "../../../facts/quorum.ts";
import type { Principal } from "../../identity/principal.ts";
import type { Requirement } from "../../policy/evaluate.ts";
import type { Situation } from "../action.ts";
import { approverOf, howToReach, type Manner, tooLow } from "./approver.ts";
import { filtersInWords } from "./covers.ts";
import { compare, confirms, isRequester, isUnknown, responsibleAs } from "./people.ts";
import { isWanted } from "./quorum.ts";
import { policyChanged } from "./today.ts";

/** What to do when values are gone from the database that a decision would rest on. */
export const CONTENT_MISSING =
  "values of this action are missing from the database: have the ledger verified and the values restored from a backup, or propose the action again";

/** What to do about an action that would not be allowed today as it was then. */
export const AGAIN = "cancel this action, and propose it again if it is still wanted";

/** Every code of an objection, most important first. */
export const OBJECTION_CODES = [
  "AGENT_CANNOT_DECIDE",
  "REQUESTER_CANNOT_DECIDE",
  "DELEGATOR_CANNOT_DECIDE",
  "NOT_ELIGIBLE",
  "NOT_PENDING",
  "EXPIRED",
  "ALREADY_VOTED",
  "DELEGATOR_ALREADY_VOTED",
  "ASSURANCE_TOO_LOW",
  "NOTE_REQUIRED",
  "CONTENT_MISSING",
  "POLICY_CHANGED",
] as const satisfies readonly DecisionRefusal[];
type ObjectionCode = (typeof OBJECTION_CODES)[number];

export interface Objection {
  readonly code: ObjectionCode;
  readonly message: string;
}

/**
 * All reasons why `by` cannot approve, or deny, most important first: reasons of the person come before those of the action's
 * status. No role overrides one of them. The same for every channel; how sure an approval is depends on it.
 */
export function objections(
  situation: Situation,
  by: Principal,
  now: Date,
  verdict: "APPROVE" | "DENY" = "APPROVE",
): readonly Objection[] {
  return [...personal(situation, by, now), ...timely(situation, now, verdict), ...readable(situation)];
}

/** Reasons against an approval that do not apply to a denial: an approver may still deny. */
export function approvalObjections(
  situation: Situation,
  by: Principal,
  now: Date,
  manner: Manner,
): readonly Objection[] {
  const changed = situation.state.status === "PENDING" ? policyChanged(situation, "approve") : undefined;
  const objections = votingObjections(situation, by, now, manner);
  return changed === undefined ? objections : [...objections, objection("POLICY_CHANGED", `${changed}; ${AGAIN}`)];
}

function votingObjections(situation: Situation, by: Principal, now: Date, manner: Manner): readonly Objection[] {
  const { terms, voters } = situation;
  const { requirements } = terms;
  const responsible = responsibleAs(situation, by);
  if (responsible !== undefined) return [objection("REQUESTER_CANNOT_DECIDE", RESPONSIBLE_AS[responsible.because])];
  const same = voters.find((voter) => compare(situation, voter, by) === "SAME");
  if (same !== undefined) {
    const who =
      same.delegatedBy?.id === by.id
        ? `${same.id} approved this action in your place`
        : "you have approved this action already";
    return [objection("ALREADY_VOTED", `${who}; one human is one vote`)];
  }
  const vote = { ...approverOf(terms, by, now, manner), isUnknown: isUnknown(situation, by, voters) };
  const isConcerned = requirements.some((one) => isAsked(one, vote));
  if (!isConcerned || isWanted(requirements, voters, vote)) return [];
  if (!isWanted(requirements, voters, { ...vote, assurance: "KEY", hasNote: true })) {
    return [objection("NOT_ELIGIBLE", "your groups have given all the approvals needed of them")];
  }
  const least = isWanted(requirements, voters, { ...vote, hasNote: true }) ? undefined : tooLow(requirements, vote);
  if (least === undefined) {
    return [objection("NOTE_REQUIRED", "the policy requires a note with this approval: say why, and decide again")];
  }
  const message = `the policy requires ${least} of this approval, and you signed in with ${vote.assurance ?? "SESSION"}: ${howToReach(least)}`;
  return [objection("ASSURANCE_TOO_LOW", message)];
}

const RESPONSIBLE_AS = {
  OWNER: "the owner of an agent, also one it had since it proposed the action, cannot approve what it does",
  CHANGED: "you changed this agent in the directory after it proposed the action, so another person has to approve it",
} as const;

function personal(situation: Situation, by: Principal, now: Date): readonly Objection[] {
  const { terms } = situation;
  const candidate = approverOf(terms, by, now);
  const found: Objection[] = [];
  if (by.kind !== "HUMAN") {
    found.push(objection("AGENT_CANNOT_DECIDE", "only a person can decide; agents and services never can"));
  }
  if (isRequester(situation, by) && !confirms(situation, by, now)) {
    const message = "the requester of an action, and the person they act for, cannot decide it";
    const { requesterAfter } =
      terms.requirements.find((one) => one.requesterAfter !== undefined && isAsked(one, by)) ?? {};
    const until = requesterAfter === undefined ? "" : `; as the only one who could, you can from ${requesterAfter} on`;
    found.push(objection("REQUESTER_CANNOT_DECIDE", `${message}${until}`));
  }
  if (!terms.requirements.some((one) => isAsked(one, candidate))) {
    found.push(objection("NOT_ELIGIBLE", whyNotAsked(terms.requirements, by)));
  }
  return found;
}

function whyNotAsked(requirements: readonly Requirement[], by: Principal): string {
  if (requirements.length === 0) return "the policy requires no approval of this action";
  const later = requirements.find(({ escalation }) => escalation !== undefined && by.groups.includes(escalation.group));
  const until = later?.escalation === undefined ? "" : `; ${later.escalation.group} can from ${later.escalation.at} on`;
  return `only ${requirements.map(whoIsAsked).join(", ")} can decide${until}`;
}

/** What was approved can still be denied, until it is started. */
function timely({ state }: Situation, now: Date, verdict: "APPROVE" | "DENY"): readonly Objection[] {
  if (verdict === "DENY" && state.status === "APPROVED") {
    if (!isOver(state.grantExpiresAt, now)) return [];
    return [objection("EXPIRED", "the deadline to start the action has passed; it cannot be started any more")];
  }
  if (state.status !== "PENDING") {
    return [objection("NOT_PENDING", `the action is ${state.status}; there is nothing left to decide`)];
  }
  if (isOver(state.expiresAt, now)) {
    return [objection("EXPIRED", "the deadline to decide has passed; the action was not approved")];
  }
  return [];
}

function readable({ contentMissing }: Situation): readonly Objection[] {
  return contentMissing === true ? [objection("CONTENT_MISSING", CONTENT_MISSING)] : [];
}

function whoIsAsked({ group, role, approver = [], ownerConfirms }: Asked): string {
  const who = role === true ? `people with the role ${group}` : `members of ${group}`;
  return [ownerConfirms === true ? `the person it is for or ${who}` : who, ...filtersInWords(approver)].join(" ");
}

/** A deadline has passed at its exact instant. */
export function isOver(deadline: Date | null, now: Date): boolean {
  return deadline !== null && now.getTime() >= deadline.getTime();
}

function objection(code: ObjectionCode, message: string): Objection {
  return { code, message };
}
