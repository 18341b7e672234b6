import type { LedgerId } from "../../facts/entry.ts";
import type { PrincipalKind } from "../identity/principal.ts";
import { teamsLedBy } from "../visibility/visibility.ts";

/** A principal in one entry: who acted, or for whom. */
export interface Sighting {
  readonly id: string;
  readonly as: "actor" | "onBehalfOf";
  readonly seq: bigint;
  /** RFC 3339 with microseconds. */
  readonly at: string;
  readonly kind: PrincipalKind;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  /** For whom an actor acted. */
  readonly onBehalfOf?: string | undefined;
}

/** The latest entry a principal acted in, and the latest in which somebody acted for it. At least one of them is there. */
export interface Seen {
  readonly acted?: Sighting | undefined;
  readonly actedFor?: Sighting | undefined;
}

/**
 * The latest sighting of a principal: that of its own token, else that of an agent's token, which may be older
 * information of ours.
 */
export function latest({ acted, actedFor }: Seen): Sighting {
  const sighting = acted ?? actedFor;
  if (sighting === undefined) throw new Error("a principal nobody saw");
  return sighting;
}

export function lastSeenAt({ acted, actedFor }: Seen): string {
  // RFC 3339 in UTC with six digits sorts as it is.
  return [acted?.at ?? "", actedFor?.at ?? ""].sort().at(-1) ?? "";
}

/** Everybody the ledger of an organization has seen acting or acted for, and who belongs to which group. */
export class SeenPrincipals {
  readonly ledger: LedgerId;
  /** Entries up to this position were looked at; undefined: none yet. */
  position: bigint | undefined;
  /** When the latest look at the ledger began, as `performance.now()` has it. */
  freshAt = Number.NEGATIVE_INFINITY;
  /** The look under way. */
  look: Promise<void> | undefined;
  readonly #principals = new Map<string, Seen>();
  readonly #members = new Map<string, Set<string>>();
  readonly #leads = new Map<string, Set<string>>();
  #sorted: readonly string[] | undefined;

  constructor(ledger: LedgerId) {
    this.ledger = ledger;
  }

  get(id: string): Seen | undefined {
    return this.#principals.get(id);
  }

  /** All ids, in order of their code units. */
  ids(): readonly string[] {
    this.#sorted ??= [...this.#principals.keys()].sort(byCodeUnits);
    return this.#sorted;
  }

  entries(): IterableIterator<[string, Seen]> {
    return this.#principals.entries();
  }

  groups(): IterableIterator<string> {
    return this.#members.keys();
  }

  membersOf(group: string): ReadonlySet<string> {
    return this.#members.get(group) ?? NOBODY;
  }

  /** Teams somebody was seen leading, by id. */
  ledTeams(): IterableIterator<[string, ReadonlySet<string>]> {
    return this.#leads.entries();
  }

  add(sighting: Sighting): void {
    const { id } = sighting;
    const known = this.#principals.get(id);
    const of = sighting.as === "actor" ? "acted" : "actedFor";
    const earlier = known?.[of];
    if (earlier !== undefined && earlier.seq >= sighting.seq) return;
    const now: Seen = { ...known, [of]: sighting };
    if (known === undefined) this.#sorted = undefined;
    else this.#belongs(latest(known), false);
    this.#principals.set(id, now);
    this.#belongs(latest(now), true);
  }

  #belongs({ id, kind, roles, groups }: Sighting, belongs: boolean): void {
    for (const group of groups) put(this.#members, group, id, belongs);
    for (const team of teamsLedBy({ kind, roles })) put(this.#leads, team, id, belongs);
  }
}

/** The order of lists here: the same on every machine, whatever its language. */
export function byCodeUnits(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

const NOBODY: ReadonlySet<string> = new Set();

function put(sets: Map<string, Set<string>>, key: string, id: string, belongs: boolean): void {
  const set = sets.get(key) ?? new Set<string>();
  if (belongs) sets.set(key, set.add(id));
  else if (set.delete(id) && set.size === 0) sets.delete(key);
}
