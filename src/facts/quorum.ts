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
 * to requirements so that as many as possible are met. `voters` are distinct people.
 */
export function countApprovals(requirements: readonly NeededApprovals[], voters: readonly Voter[]): readonly number[] {
  const seats = new Seats(requirements);
  for (const { groups } of voters) seats.add(groups);
  return seats.counts();
}

/** The places of all requirements of one group: a person fits any of them or none. */
interface Table {
  readonly order: number;
  readonly places: number;
  taken: number;
  /** Of those who sit here, who could sit elsewhere: each with all the tables that they fit. */
  readonly movable: (readonly Table[])[];
  /** Nobody else finds a place here, now or later. */
  closed: boolean;
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
  #free = 0;

  constructor(requirements: readonly NeededApprovals[]) {
    this.#requirements = requirements;
    for (const [group, all] of Map.groupBy(requirements, (one) => one.group)) {
      const places = all.reduce((sum, { needed }) => sum + needed, 0);
      this.#free += places;
      this.#tables.set(group, { order: this.#tables.size, places, taken: 0, movable: [], closed: false });
    }
  }

  /** Whether every place is taken. */
  get isFull(): boolean {
    return this.#free <= 0;
  }

  /** Gives a person of these groups a place, moving others where that makes room. */
  add(groups: readonly string[]): void {
    const fitting = this.#fitting(groups);
    const ways = new Map<Table, Way>();
    for (const table of fitting) if (!table.closed) ways.set(table, undefined);
    // Tables that are found on the way are gone through as well: a Map is in the order in which things were added.
    for (const table of ways.keys()) {
      if (table.taken < table.places) {
        this.#sit(table, ways, fitting);
        return;
      }
      for (const [at, person] of table.movable.entries()) {
        for (const other of person) if (!other.closed && !ways.has(other)) ways.set(other, { from: table, at });
      }
    }
    for (const table of ways.keys()) {
      table.closed = true;
      table.movable.length = 0;
    }
  }

  /** How many approvals each requirement has, in order: of one group, the first is filled first. */
  counts(): readonly number[] {
    const left = new Map([...this.#tables].map(([group, { taken }]) => [group, taken]));
    return this.#requirements.map(({ group, needed }) => {
      const have = Math.min(left.get(group) ?? 0, needed);
      left.set(group, (left.get(group) ?? 0) - have);
      return have;
    });
  }

  /** In the order of the requirements. */
  #fitting(groups: readonly string[]): readonly Table[] {
    const found = new Set(groups.flatMap((group) => this.#tables.get(group) ?? []));
    return [...found].sort((one, other) => one.order - other.order);
  }

  /** Moves everybody on the way to `free` by one table, and puts the person of `fitting` where the way begins. */
  #sit(free: Table, ways: ReadonlyMap<Table, Way>, fitting: readonly Table[]): void {
    free.taken += 1;
    this.#free -= 1;
    let table = free;
    for (let way = ways.get(table); way !== undefined; way = ways.get(table)) {
      const { from, at } = way;
      const person = from.movable[at] ?? [];
      const last = from.movable.pop() ?? [];
      if (at < from.movable.length) from.movable[at] = last;
      table.movable.push(person);
      table = from;
    }
    if (fitting.length > 1) table.movable.push(fitting);
  }
}
