/** `needed` different people of `group` must approve. */
export interface NeededApprovals {
  readonly group: string;
  readonly needed: number;
}
interface Voter {
  readonly groups: readonly string[];
}

/**
 * How many approvals each requirement has, in order. A person counts once, whatever groups they are in: approvals are assigned
 * to requirements so that as many as possible are met (augmenting paths of a bipartite matching). `voters` are distinct people.
 */
export function countApprovals<Person extends Voter>(
  requirements: readonly NeededApprovals[],
  voters: readonly Person[],
): readonly number[] {
  const assigned: Person[][] = requirements.map(() => []);
  for (const voter of voters) place(voter, requirements, assigned, new Set());
  return assigned.map((people) => people.length);
}

/** Seats `voter`, moving others to different requirements where that makes room. */
function place<Person extends Voter>(
  voter: Person,
  requirements: readonly NeededApprovals[],
  assigned: Person[][],
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
