import type { LedgerEntry } from "../../../facts/entry.ts";
import { countApprovals } from "../../../facts/quorum.ts";
import { sharePerson } from "../../identity/people.ts";
import type { Principal } from "../../identity/principal.ts";
import type { Requirement } from "../../policy/evaluate.ts";
import { termsOf } from "../terms.ts";

/** How many approvals each requirement has, in order. One human counts once, whatever groups and accounts they have. */
export function tally(requirements: readonly Requirement[], voters: readonly Principal[]): readonly number[] {
  return countApprovals(requirements, distinct(voters));
}

/** How many approvals each requirement of `proposal` has, by the requirement's id. */
export function approvalsOf(proposal: LedgerEntry, voters: readonly Principal[]): ReadonlyMap<string, number> {
  const { requirements } = termsOf(proposal);
  const have = tally(requirements, voters);
  return new Map(requirements.map(({ id }, index) => [id, have[index] ?? 0]));
}

export function isMet(requirements: readonly Requirement[], voters: readonly Principal[]): boolean {
  const have = tally(requirements, voters);
  return requirements.every(({ needed }, index) => (have[index] ?? 0) >= needed);
}

function distinct(voters: readonly Principal[]): readonly Principal[] {
  const people: Principal[] = [];
  for (const voter of voters) {
    if (!people.some((person) => sharePerson(person, voter))) people.push(voter);
  }
  return people;
}
