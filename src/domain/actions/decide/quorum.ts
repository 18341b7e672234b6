import type { LedgerEntry } from "../../../facts/entry.ts";
import { type Approver, countApprovals, helps, isEnough, suffices } from "../../../facts/quorum.ts";
import { sharePerson } from "../../identity/people.ts";
import type { Principal } from "../../identity/principal.ts";
import type { Requirement } from "../../policy/evaluate.ts";
import { termsOf } from "../terms.ts";

/** Somebody who approved. */
type Voter = Principal & Approver;

/** How far a requirement is met. */
export interface RequirementCount {
  readonly have: number;
  /** One more than the policy says where one who approved is unknown, and it would not be met without them. */
  readonly needed: number;
}

/** How many approvals each requirement has, in order. One human counts once, whatever groups and accounts they have. */
export function tally(requirements: readonly Requirement[], voters: readonly Voter[]): readonly number[] {
  return countApprovals(requirements, distinct(voters));
}

/** How far each requirement of `proposal` is met, by the requirement's id. */
export function approvalsOf(proposal: LedgerEntry, voters: readonly Voter[]): ReadonlyMap<string, RequirementCount> {
  const { requirements } = termsOf(proposal);
  const people = distinct(voters);
  const known = countApprovals(
    requirements,
    people.filter(({ isUnknown }) => isUnknown !== true),
  );
  const asked = requirements.map((one, at) => {
    const rests = people.some((voter) => voter.isUnknown === true && suffices(one, voter));
    return rests && (known[at] ?? 0) < one.needed ? { ...one, needed: one.needed + 1 } : one;
  });
  const have = tally(asked, people);
  return new Map(asked.map(({ id, needed }, at) => [id, { have: have[at] ?? 0, needed }]));
}

/** Whether enough people approved. One human counts once, whatever groups and accounts they have. */
export function isMet(requirements: readonly Requirement[], voters: readonly Voter[]): boolean {
  return isEnough(requirements, distinct(voters));
}

/** Whether an approval of `by` would bring the action nearer to what is required. */
export function isWanted(requirements: readonly Requirement[], voters: readonly Voter[], by: Voter): boolean {
  return helps(requirements, distinct(voters), by);
}

function distinct(voters: readonly Voter[]): readonly Voter[] {
  const people: Voter[] = [];
  for (const voter of voters) {
    if (!people.some((person) => sharePerson(person, voter))) people.push(voter);
  }
  return people;
}
