import type { LedgerEntry } from "../../../facts/entry.ts";
import { sharePerson } from "../../identity/people.ts";
import type { Principal } from "../../identity/principal.ts";
import type { Requirement } from "../../policy/evaluate.ts";
import { termsOf } from "../terms.ts";

/**
 * How many approvals each requirement has, in order. One human counts once, whatever groups they are in: approvals are
 * assigned to requirements so that as many as possible are met (augmenting paths of a bipartite matching).
 */
export function tally(requirements: readonly Requirement[], voters: readonly Principal[]): readonly number[] {
  const assigned: Principal[][] = requirements.map(() => []);
  for (const voter of distinct(voters)) place(voter, requirements, assigned, new Set());
  return assigned.map((people) => people.length);
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

/** Seats `voter`, moving others to different requirements where that makes room. */
function place(
  voter: Principal,
  requirements: readonly Requirement[],
  assigned: Principal[][],
  tried: Set<number>,
): boolean {
  for (const [index, { group, needed }] of requirements.entries()) {
    const seats = assigned[index];
    if (seats === undefined || tried.has(index) || !voter.groups.includes(group)) continue;
    tried.add(index);
    if (seats.length < needed) {
      seats.push(voter);
      return true;
    }
    const moved = seats.findIndex((seated) => place(seated, requirements, assigned, tried));
    if (moved >= 0) {
      seats[moved] = voter;
      return true;
    }
  }
  return false;
}

function distinct(voters: readonly Principal[]): readonly Principal[] {
  const people: Principal[] = [];
  for (const voter of voters) {
    if (!people.some((person) => sharePerson(person, voter))) people.push(voter);
  }
  return people;
}
