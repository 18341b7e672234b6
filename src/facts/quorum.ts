/** Whose approval is asked. */
export interface Asked {
  /** The group that they are in, or the role that they have. */
  readonly group: string;
  readonly role?: boolean | undefined;
  /** RFC 3339, UTC: from then on, whoever asked for it may approve it as well. For what nobody else could approve. */
  readonly requesterAfter?: string | undefined;
}
/** `needed` different people of those must approve. */
export interface NeededApprovals extends Asked {
  readonly needed: number;
}
/** Somebody who approved. */
export interface Approver {
  readonly groups: readonly string[];
  readonly roles?: readonly string[];
  /** It is not known whether they are another person than those who asked for it, and than those who approved before. */
  readonly isUnknown?: boolean;
}

const keyOf = ({ group, role }: Asked) => (role === true ? `role ${group}` : `group ${group}`);

/** Whether `one` is among those whose approval is asked. */
export function isAsked({ group, role }: Asked, { groups, roles = [] }: Pick<Approver, "groups" | "roles">): boolean {
  return (role === true ? roles : groups).includes(group);
}

/** Whether `one`, who asked for it, may approve at this instant (RFC 3339, UTC). */
export function mayConfirm(
  requirements: readonly Asked[],
  one: Pick<Approver, "groups" | "roles">,
  instant: string,
): boolean {
  return requirements.some((asked) => {
    const { requesterAfter: from } = asked;
    return from !== undefined && Date.parse(from) <= Date.parse(instant) && isAsked(asked, one);
  });
}

/** Whether two requirements ask the same people. */
export function asksSame(one: Asked, other: Asked): boolean {
  return keyOf(one) === keyOf(other);
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

/** The places of all requirements that ask the same people: a person fits any of them or none. */
interface Table {
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
  /** Places that nobody has taken. */
  free = 0;
  /** People who are unknown, and have a place that nobody else could take. */
  needed = 0;

  constructor(requirements: readonly NeededApprovals[]) {
    this.#requirements = requirements;
    for (const [key, all] of Map.groupBy(requirements, keyOf)) {
      const places = all.reduce((sum, { needed }) => sum + needed, 0);
      this.free += places;
      this.#tables.set(key, { order: this.#tables.size, places, taken: 0, movable: [], unknown: 0, closed: false });
    }
  }

  /** Whether every place is taken, and would be without any one of the people who are unknown. */
  get isEnough(): boolean {
    return this.free <= 0 && this.needed === 0;
  }

  /** Gives a person a place, moving others where that makes room. */
  add({ isUnknown = false, ...person }: Approver): void {
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

  /** How many approvals each requirement has, in order: of those that ask the same people, the first is filled first. */
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
  #fitting({ groups, roles = [] }: Pick<Approver, "groups" | "roles">): readonly Table[] {
    const keys = [...groups.map((group) => keyOf({ group })), ...roles.map((group) => keyOf({ group, role: true }))];
    const found = new Set(keys.flatMap((key) => this.#tables.get(key) ?? []));
    return [...found].sort((one, other) => one.order - other.order);
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
