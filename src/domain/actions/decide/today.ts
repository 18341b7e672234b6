import type { Situation, Voter } from "../action.ts";
import { covers, described } from "./covers.ts";
import { compare, isRequester, isUnknown, responsibleAs } from "./people.ts";
import { isMet } from "./quorum.ts";

/**
 * Why what was proposed, allowed or approved would not be given today any more: undefined when it would. The policy of today binds
 * where it is stricter; where it asks for less, what was asked for holds.
 */
export function policyChanged(situation: Situation, command: "approve" | "claim" | "redeem"): string | undefined {
  const { state, terms, today } = situation;
  if (today === undefined) return undefined;
  const { outdated, outcome, requirements, rules, suspendedRequester, suspendedVoter } = today;
  if (outdated !== undefined) return outdated;
  if (suspendedRequester !== undefined) return `${suspendedRequester}, for whom it would be done, is suspended`;
  if (suspendedVoter !== undefined) return `${suspendedVoter}, who approved it, was suspended since`;
  if (outcome === "FORBID") return `the policy forbids it now, by ${rules[0]}`;
  if (command === "approve" && today.ttlOver !== undefined) {
    return `the policy now gives people ${today.ttlOver} seconds to decide, which are over`;
  }
  const { brokenGlass } = situation;
  const barred = [...situation.voters, ...(brokenGlass === undefined ? [] : [brokenGlass])].find(
    (one) => (isRequester(situation, one) && !hasConfirmed(situation, one)) || responsibleAs(situation, one),
  );
  if (barred !== undefined)
    return `${barred.id}, who approved it, is a person who asked for it or is responsible for its agent`;
  // One person approved it in the place of all whom a policy could ask.
  if (brokenGlass !== undefined) return undefined;
  // What was not known when somebody approved stays so; of people who are responsible for the agent since, something may be.
  const people = situation.voters.filter(
    (one, at) => !situation.voters.slice(0, at).some((other) => compare(situation, one, other) === "SAME"),
  );
  if (state.status === "APPROVED" && people.length < situation.voters.length && !isMet(terms.requirements, people)) {
    return "two who approved it are known to be one person now";
  }
  const voters = people.map((one) => ({ ...one, isUnknown: one.isUnknown || isUnknown(situation, one, []) }));
  if (state.status === "APPROVED" && !isMet(terms.requirements, voters)) {
    return "one more person has to approve it: it is not known whether one who did is another person than those who are responsible for its agent";
  }
  if (outcome === "PERMIT") return undefined;
  if (command === "approve") {
    const more = requirements.find((one) => !terms.requirements.some((asked) => covers(asked, one)));
    return more && `the policy now requires ${described(more)}`;
  }
  if (state.status !== "ALLOWED" && isMet(requirements, voters)) return undefined;
  return `the policy now requires ${requirements.map(described).join(" and ")}`;
}

/** Whether an approval of who asked for it was recorded: nothing else of the kind is proven. */
function hasConfirmed({ terms }: Situation, one: Voter): boolean {
  if (one.isBehind === true) return terms.requirements.some(({ ownerConfirms }) => ownerConfirms === true);
  return (
    one.id === terms.requestedBy.id && terms.requirements.some(({ requesterAfter }) => requesterAfter !== undefined)
  );
}
