import { type Assurance, reaches, UNSTATED_ASSURANCE } from "./assurance.ts";

/** Which approvers are good for a requirement: those with one of the roles, and in one of the regions. */
export interface ApproverFilter {
  readonly roles?: readonly string[] | undefined;
  readonly regions?: readonly string[] | undefined;
}
/** Whose approval is asked. */
export interface Asked {
  /** The group that they are in, or the role that they have. */
  readonly group: string;
  readonly role?: boolean | undefined;
  /** All of these hold for them. */
  readonly approver?: readonly ApproverFilter[] | undefined;
  /** The person for whom an agent asked may approve as well, whatever groups they are in. */
  readonly ownerConfirms?: boolean | undefined;
  /** From an instant on (RFC 3339, UTC, six decimals), members of another group may approve as well. */
  readonly escalation?: { readonly at: string; readonly group: string } | undefined;
  /** RFC 3339, UTC, six decimals: from then on, whoever asked for it may approve it as well. For what nobody else could approve. */
  readonly requesterAfter?: string | undefined;
}
/** Whose approval is asked, and what it has to have. */
export interface AskedApproval extends Asked {
  /** An approval that is less sure does not count. */
  readonly assurance?: Assurance | undefined;
  /** An approval without a note does not count. */
  readonly note?: boolean | undefined;
}
/** `needed` different people of those must approve. */
export interface NeededApprovals extends AskedApproval {
  readonly needed: number;
}
/** Somebody who may be asked. */
export interface Candidate {
  readonly groups: readonly string[];
  readonly roles?: readonly string[];
  readonly region?: string | undefined;
  /** They are the person for whom an agent asked. */
  readonly isBehind?: boolean;
  /** The instant (RFC 3339, UTC, six decimals) by which it is judged; undefined: before anything escalates. */
  readonly at?: string | undefined;
}
/** Somebody who approved. */
export interface Approver extends Candidate {
  readonly assurance?: Assurance | undefined;
  readonly hasNote?: boolean;
  /** It is not known whether they are another person than those who asked for it, and than those who approved before. */
  readonly isUnknown?: boolean;
}

const nameOf = ({ group, role }: Asked) => (role === true ? `role ${group}` : `group ${group}`);
const BEHIND = "the person for whom an agent asked";

/** The same for requirements that the same approvals count for. */
function keyOf(one: AskedApproval): string {
  const { assurance, note = false, approver = [], ownerConfirms = false, escalation } = one;
  if (assurance === undefined && !note && approver.length === 0 && !ownerConfirms && escalation === undefined) {
    return nameOf(one);
  }
  const filters = approver.map(({ roles, regions }) => [roles ?? null, regions ?? null]);
  const escalates = escalation === undefined ? null : [escalation.at, escalation.group];
  return JSON.stringify([nameOf(one), assurance ?? null, note, filters, ownerConfirms, escalates]);
}

/** Whether `one` is among those whose approval is asked. */
export function isAsked(asked: Asked, one: Candidate): boolean {
  return isNamed(asked, one) && (asked.approver ?? []).every((filter) => passes(filter, one));
}

function isNamed(asked: Asked, { groups, roles = [], isBehind = false, at }: Candidate): boolean {
  const { group, role, ownerConfirms, escalation } = asked;
  // Whoever asked through an agent confirms, and does not approve as one of a group.
  if (isBehind) return ownerConfirms === true;
  if ((role === true ? roles : groups).includes(group)) return true;
  return escalation !== undefined && at !== undefined && escalation.at <= at && groups.includes(escalation.group);
}

function passes({ roles, regions }: ApproverFilter, one: Candidate): boolean {
  if (roles !== undefined && !roles.some((role) => one.roles?.includes(role))) return false;
  return regions === undefined || (one.region !== undefined && regions.includes(one.region));
}

/** Whether an approval of `one` counts for the requirement. */
export function suffices(requirement: AskedApproval, one: Approver): boolean {
  const { assurance, note } = requirement;
  if (assurance !== undefined && !reaches(one.assurance ?? UNSTATED_ASSURANCE, assurance)) return false;
  return (note !== true || one.hasNote === true) && isAsked(requirement, one);
}

/** Whether `one`, who asked for it, may approve at this instant (RFC 3339, UTC, six decimals, so that texts are in the order of time). */
export function mayConfirm(requirements: readonly Asked[], one: Candidate, instant: string): boolean {
  return requirements.some((asked) => {
    const { requesterAfter: from } = asked;
    return from !== undefined && from <= instant && isAsked(asked, one);
  });
}

/** Whether two requirements ask the same group, or the same role. */
export function asksSame(one: Asked, other: Asked): boolean {
  return nameOf(one) === nameOf(other);
}

/**
 * How many approvals each requirement has, in order. A person counts once, whatever groups they are in: approvals are assigned
 * to requirements so that as many as possible are met. `voters` are distinct people.
 */
export function countApprovals(
  requirements: readonly NeededApprovals[],
  voters: readonly Approver[],
): readonly number[] {
  return seat(requirements, voters).counts();
}

/**
 * Whether enough people approved: all places are taken, and would be without any single one of those who may be the person who
 * asked for it. So where one of them is needed, one more has to approve.
 */
export function isEnough(requirements: readonly NeededApprovals[], voters: readonly Approver[]): boolean {
  return seat(requirements, voters).isEnough;
}

/**
 * Whether it helps that `one` approves too: they take a place, or stand in for somebody who is unknown, so that that one is not
 * needed.
 */
export function helps(requirements: readonly NeededApprovals[], voters: readonly Approver[], one: Approver): boolean {
  const seats = seat(requirements, voters);
  const { free, needed } = seats;
  seats.add(one);
  return seats.free < free || seats.needed < needed;
}

function seat(requirements: readonly NeededApprovals[], voters: readonly Approver[]): Seats {
  const seats = new Seats(requirements);
  for (const voter of voters) seats.add(voter);
  return seats;
}

/** The places of all requirements that the same approvals count for: a person fits any of them or none. */
interface Table {
  readonly requirement: AskedApproval;
  readonly order: number;
  readonly places: number;
  taken: number;
  /** Of those who sit here, who could sit elsewhere. */
  readonly movable: Movable[];
  /** How many of those who sit here are unknown. */
  unknown: number;
  /** Nobody else finds a place here, now or later: for each who sits here, there is somebody without a place who could instead. */
  closed: boolean;
}

/** A person with all the tables that they fit. */
interface Movable {
  readonly fits: readonly Table[];
  readonly isUnknown: boolean;
}

/** How a search for a free place came to a table: by whom of which table, or by the person who looks for a place. */
type Way = { readonly from: Table; readonly at: number } | undefined;

/**
 * Assigns people to places one after the other, each at most once looked at in vain: those who find no place now find none later
 * either, and neither does anybody else at the tables that were tried for them (augmenting paths of a bipartite matching).
 */
export class Seats {
  readonly #requirements: readonly NeededApprovals[];
  readonly #tables = new Map<string, Table>();
  /** By the name of whom they ask. */
  readonly #named = new Map<string, Table[]>();
  /** Places that nobody has taken. */
  free = 0;
  /** People who are unknown, and have a place that nobody else could take. */
  needed = 0;

  constructor(requirements: readonly NeededApprovals[]) {
    this.#requirements = requirements;
    for (const [key, all] of Map.groupBy(requirements, keyOf)) {
      const [requirement] = all;
      if (requirement === undefined) continue;
      const places = all.reduce((sum, { needed }) => sum + needed, 0);
      this.free += places;
      const order = this.#tables.size;
      const table = { requirement, order, places, taken: 0, movable: [], unknown: 0, closed: false };
      this.#tables.set(key, table);
      const { escalation, ownerConfirms } = requirement;
      const names = [nameOf(requirement), ...(escalation === undefined ? [] : [nameOf({ group: escalation.group })])];
      for (const name of [...names, ...(ownerConfirms === true ? [BEHIND] : [])]) {
        this.#named.set(name, [...(this.#named.get(name) ?? []), table]);
      }
    }
  }

  /** Whether every place is taken, and would be without any one of the people who are unknown. */
  get isEnough(): boolean {
    return this.free <= 0 && this.needed === 0;
  }

  /** Gives a person a place, moving others where that makes room. */
  add(person: Approver): void {
    const { isUnknown = false } = person;
    const fitting = this.#fitting(person);
    const ways = new Map<Table, Way>();
    for (const table of fitting) if (!table.closed) ways.set(table, undefined);
    // Tables that are found on the way are gone through as well: a Map is in the order in which things were added.
    for (const table of ways.keys()) {
      if (table.taken < table.places) {
        this.#sit(table, ways, { fits: fitting, isUnknown });
        return;
      }
      for (const [at, { fits }] of table.movable.entries()) {
        for (const other of fits) if (!other.closed && !ways.has(other)) ways.set(other, { from: table, at });
      }
    }
    for (const table of ways.keys()) {
      table.closed = true;
      table.movable.length = 0;
      this.needed -= table.unknown;
    }
  }

  /** How many approvals each requirement has, in order: of those that the same approvals count for, the first is filled first. */
  counts(): readonly number[] {
    const left = new Map([...this.#tables].map(([key, { taken }]) => [key, taken]));
    return this.#requirements.map((one) => {
      const key = keyOf(one);
      const have = Math.min(left.get(key) ?? 0, one.needed);
      left.set(key, (left.get(key) ?? 0) - have);
      return have;
    });
  }

  /** In the order of the requirements. */
  #fitting(person: Approver): readonly Table[] {
    const { groups, roles = [], isBehind = false } = person;
    const own = [...groups.map((group) => nameOf({ group })), ...roles.map((group) => nameOf({ group, role: true }))];
    const found = new Set((isBehind ? [BEHIND] : own).flatMap((name) => this.#named.get(name) ?? []));
    return [...found]
      .filter(({ requirement }) => suffices(requirement, person))
      .sort((one, other) => one.order - other.order);
  }

  /** Moves everybody on the way to `free` by one table, and puts `person` where the way begins. */
  #sit(free: Table, ways: ReadonlyMap<Table, Way>, person: Movable): void {
    free.taken += 1;
    this.free -= 1;
    if (person.isUnknown) this.needed += 1;
    let table = free;
    for (let way = ways.get(table); way !== undefined; way = ways.get(table)) {
      const { from, at } = way;
      const moved = from.movable[at];
      const last = from.movable.pop();
      if (moved === undefined || last === undefined)
        throw new Error("a way leads from somebody who does not sit there");
      if (at < from.movable.length) from.movable[at] = last;
      table.movable.push(moved);
      if (moved.isUnknown) {
        from.unknown -= 1;
        table.unknown += 1;
      }
      table = from;
    }
    if (person.fits.length > 1) table.movable.push(person);
    if (person.isUnknown) table.unknown += 1;
  }
}
