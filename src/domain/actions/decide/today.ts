import type { Requirement } from "../../policy/evaluate.ts";
import type { Situation } from "../action.ts";
import { isMet } from "./quorum.ts";

/**
 * Why what was proposed, allowed or approved would not be given today any more: undefined when it would. The policy of today binds
 * where it is stricter; where it asks for less, what was asked for holds.
 */
export function policyChanged(situation: Situation, command: "approve" | "claim" | "redeem"): string | undefined {
  const { state, terms, voters, today } = situation;
  if (today === undefined) return undefined;
  const { outcome, requirements, rules, suspendedRequester, suspendedVoter } = today;
  if (suspendedRequester !== undefined) return `${suspendedRequester}, for whom it would be done, is suspended`;
  if (suspendedVoter !== undefined) return `${suspendedVoter}, who approved it, was suspended since`;
  if (outcome === "FORBID") return `the policy forbids it now, by ${rules[0]}`;
  if (outcome === "PERMIT") return undefined;
  if (command === "approve") {
    const more = requirements.find((one) => !isCovered(one, terms.requirements));
    return more && `the policy now requires ${described(more)}`;
  }
  if (state.status !== "ALLOWED" && isMet(requirements, voters)) return undefined;
  return `the policy now requires ${requirements.map(described).join(" and ")}`;
}

function isCovered({ group, needed }: Requirement, by: readonly Requirement[]): boolean {
  return by.some((one) => one.group === group && one.needed >= needed);
}

function described({ needed, group }: Requirement): string {
  return `${needed === 1 ? "an approval" : `${needed} approvals`} of ${group}`;
}
