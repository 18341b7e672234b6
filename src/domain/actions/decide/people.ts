import { instant } from "../../../facts/entry.ts";
import { mayConfirm } from "../../../facts/quorum.ts";
import type { Responsible } from "../../directory/organization.ts";
import { type Comparison, PEOPLE_AS_TOLD } from "../../identity/people.ts";
import type { Principal } from "../../identity/principal.ts";
import type { Situation, Voter } from "../action.ts";
import { confirmsAsOwner } from "./approver.ts";

/** How `one` and `other` compare, by all that is known of them. */
export function compare({ people = PEOPLE_AS_TOLD }: Situation, one: Principal, other: Principal): Comparison {
  return people.compare(one, other);
}

/** Whether `by` is the caller that proposed the action, or a person that it acts for. */
export function isRequester(situation: Situation, by: Principal): boolean {
  const { requestedBy } = situation.terms;
  return by.id === requestedBy.id || compare(situation, by, requestedBy) === "SAME";
}

/**
 * Whether `by` asked for it, and may approve all the same: from now on, because nobody else could, or because the policy lets the person
 * for whom an agent asked confirm.
 */
export function confirms(situation: Situation, by: Principal, now: Date): boolean {
  const { requestedBy, requirements } = situation.terms;
  // By a right of their own: nobody confirms in somebody else's place.
  if (by.onBehalfOf !== undefined) return false;
  if (confirmsAsOwner(situation.terms, by)) return true;
  return by.kind === "HUMAN" && by.id === requestedBy.id && mayConfirm(requirements, by, instant(now));
}

/**
 * As whom `by` is responsible for the agent that proposed the action, or for one it acts for; undefined: as nobody. An owner for whom it
 * acts may be who confirms what it does.
 */
export function responsibleAs(situation: Situation, by: Principal): Responsible | undefined {
  const mayOwn = confirmsAsOwner(situation.terms, by);
  const all = (situation.today?.responsible ?? []).filter(({ because }) => !mayOwn || because !== "OWNER");
  return all.find((one) => compare(situation, by, personOf(one, by)) === "SAME");
}

/** Whether nobody can tell that `by` is another person than those who asked for it, are responsible for its agent, or are in `voters`. */
export function isUnknown(situation: Situation, by: Principal, voters: readonly Voter[]): boolean {
  const { terms, today } = situation;
  const mayOwn = confirmsAsOwner(terms, by);
  const responsible = (today?.responsible ?? []).filter(({ because }) => !mayOwn || because !== "OWNER");
  // It is known who confirms: the account for which the agent asked.
  const asked = mayOwn ? [] : [terms.requestedBy];
  return [...asked, ...responsible.map((one) => personOf(one, by)), ...voters].some(
    (other) => compare(situation, by, other) === "UNKNOWN",
  );
}

function personOf({ id }: Responsible, { organization }: Principal): Principal {
  return { id, kind: "HUMAN", organization, roles: [], groups: [] };
}

/** Those whom the comparisons about an action are about, as their tokens and entries have them. */
export function peopleCompared(
  { terms, voters, today, brokenGlass, lent = [] }: Situation,
  by?: Principal,
): readonly Principal[] {
  const responsible = (today?.responsible ?? []).map((one) => personOf(one, terms.requestedBy));
  const deciding = by === undefined ? [] : [by, ...lent.map(({ delegator }) => delegator)];
  if (brokenGlass !== undefined) deciding.push(brokenGlass);
  return [terms.requestedBy, ...voters, ...responsible, ...deciding];
}
