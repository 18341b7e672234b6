import { isAsked } from "../../../facts/quorum.ts";
import type { LentRight } from "../../directory/delegations.ts";
import type { Principal } from "../../identity/principal.ts";
import type { Situation } from "../action.ts";
import { approverOf, type Manner } from "./approver.ts";
import { approvalObjections, type Objection, objections } from "./eligibility.ts";

/** Whose right a decision uses, where it is not that of who decides. */
export interface DelegatedBy {
  readonly id: string;
  readonly group: string;
  readonly delegation: string;
}

/** Somebody who decides, by a right of their own or one that was lent to them. */
export interface Decider {
  /** With a right that was lent: in that group alone, and on behalf of who lent it. All comparisons are about both people then. */
  readonly as: Principal;
  readonly lent?: LentRight | undefined;
}

export interface Eligibility extends Decider {
  /** Why they cannot decide by any right, most important first; none when they can. */
  readonly objections: readonly Objection[];
}

type Verdict = "APPROVE" | "DENY";

/** `by` as somebody who decides in the place of who lent them a right. */
export function inPlaceOf(by: Principal, { group }: { readonly group: string }, delegator: Principal): Principal {
  return { ...by, groups: [group], roles: [], onBehalfOf: delegator };
}

/** By which right `by` decides at `now`: their own, or the first of those lent to them by which they can. */
export function eligibility(
  situation: Situation,
  by: Principal,
  now: Date,
  verdict: Verdict,
  manner: Manner,
): Eligibility {
  const own: Eligibility = { as: by, objections: all(situation, by, now, verdict, manner) };
  if (own.objections.length === 0 || by.kind !== "HUMAN") return own;
  const lent = (situation.lent ?? [])
    .filter((one) => isInForce(one, now) && isOfUse(situation, by, one, now))
    .map((one) => byLentRight(situation, by, one, now, verdict, manner));
  const usable = lent.find((one) => one.objections.length === 0);
  if (usable !== undefined) return usable;
  // If none of the groups asked is the caller's own, returns why the delegation cannot be used.
  const isOwnRight = !own.objections.some(({ code }) => code === "NOT_ELIGIBLE");
  return isOwnRight ? own : (lent[0] ?? own);
}

function isInForce({ startsAt, expiresAt }: LentRight, now: Date): boolean {
  return startsAt.getTime() <= now.getTime() && now.getTime() < expiresAt.getTime();
}

/** Whether a requirement asks `by` in the place of who lent the right: from where they are, and at this time. */
function isOfUse({ terms }: Situation, by: Principal, lent: LentRight, now: Date): boolean {
  const approver = approverOf(terms, inPlaceOf(by, lent, lent.delegator), now);
  return terms.requirements.some((asked) => isAsked(asked, approver));
}

function byLentRight(
  situation: Situation,
  by: Principal,
  lent: LentRight,
  now: Date,
  verdict: Verdict,
  manner: Manner,
): Eligibility {
  const as = inPlaceOf(by, lent, lent.delegator);
  const alone = new Set(
    all(situation, { ...by, groups: as.groups, roles: as.roles }, now, verdict, manner).map(({ code }) => code),
  );
  const found = all(situation, as, now, verdict, manner).map((one): Objection => {
    if (alone.has(one.code)) return one;
    if (one.code === "REQUESTER_CANNOT_DECIDE") {
      const message = `${lent.delegator.id}, who lent you this right, asked for the action or is responsible for its agent`;
      return { code: "DELEGATOR_CANNOT_DECIDE", message };
    }
    if (one.code === "ALREADY_VOTED") {
      const message = `${lent.delegator.id}, who lent you this right, has approved already, or somebody in their place: both count once`;
      return { code: "DELEGATOR_ALREADY_VOTED", message };
    }
    return one;
  });
  return { as, lent, objections: found };
}

function all(situation: Situation, as: Principal, now: Date, verdict: Verdict, manner: Manner): readonly Objection[] {
  const found = objections(situation, as, now, verdict);
  return verdict === "DENY" ? found : [...found, ...approvalObjections(situation, as, now, manner)];
}

/** As an entry records whose right was used. */
export function delegatedBy(lent: LentRight | undefined): DelegatedBy | undefined {
  return lent && { id: lent.delegator.id, group: lent.group, delegation: lent.delegation };
}
