import type { JsonObject } from "./canonical.ts";

/**
 * What an entry has to agree with beside its members: with the state that it moves a thing to, with the state before, and with
 * the entries about the thing so far. Paths are dotted; a member that is not there equals one that is not there.
 */
export interface Conditions {
  /** Who records it: any of these. Default: anybody. */
  readonly by?: readonly (Author | { readonly author: Author; readonly from: string })[];
  /** Members of the entry with the value that they have. */
  readonly has?: Readonly<Record<string, string>>;
  /** Members of the entry with a value that they do not have. */
  readonly hasNot?: Readonly<Record<string, string>>;
  /** A member of the new state that is an instant, at most so many seconds after the entry is recorded. */
  readonly endsWithin?: { readonly path: string; readonly seconds: number };
  /** The status that the thing comes to, by the value of a member of the entry. */
  readonly leadsTo?: { readonly member: string; readonly status: Readonly<Record<string, string>> };
  /** Members of the new state with the value that they have. */
  readonly sets?: Readonly<Record<string, number | boolean | string>>;
  /** Members that the new state has, and those that it does not have. */
  readonly needs?: readonly string[];
  readonly lacks?: readonly string[];
  /** Members of the entry, and the members of the new state that equal them. */
  readonly records?: Readonly<Record<string, string>>;
  /** Members of the entry that are lists, and the members of the new state that are among them. */
  readonly lists?: Readonly<Record<string, string>>;
  /** Members of the new state of which no two are equal. */
  readonly differ?: readonly string[];
  /** Members of the new state that are instants, the second after the first, and at most so many days of 24 hours. */
  readonly lasts?: { readonly from: string; readonly to: string; readonly days: number };
  /** Members of the entry, and the members of the state before that equal them. */
  readonly names?: Readonly<Record<string, string>>;
  /** Members of the state that remain what they were: where the entry makes the thing, what its kind has `initially`. */
  readonly keeps?: readonly string[];
  /** A member of the state that becomes one more. */
  readonly counts?: string;
  /** Members of the entry, and the members of the entry that made the thing that equal them. */
  readonly repeats?: Readonly<Record<string, string>>;
  /** Whether the deadline of the state before is still to come when the entry is recorded, or has passed. */
  readonly deadline?: "KEPT" | "PASSED";
  /** Conditions that hold besides, by the value of a member of the entry. */
  readonly where?: { readonly member: string; readonly is: Readonly<Record<string, Conditions>> };
}

/**
 * SYSTEM: the server. HUMAN: a person. ADMINISTRATOR: a person with the role `admin`. MAKER: the actor of the entry that made
 * the thing, for the same person. APPROVER: a person whose approval a requirement asks for, as FORMAT.md section 3 says. CALLER: as MAKER, by ids alone, as callers are looked up in `oc_state`. DELEGATE:
 * an agent that acts for the actor of the entry that made the thing, who acted for nobody.
 * GLASS_BREAKER: a person with the role `break-glass`, who acts for nobody, and is neither the maker nor a person it acts for. REVIEWER: a
 * person who acts for nobody, and is neither one of those by whom the entry that made the thing is, nor one of those that its `requestedBy`
 * names.
 */
export type Author =
  | "SYSTEM"
  | "HUMAN"
  | "ADMINISTRATOR"
  | "MAKER"
  | "APPROVER"
  | "CALLER"
  | "DELEGATE"
  | "GLASS_BREAKER"
  | "REVIEWER";

/** What an entry agrees with about a thing that is not the one each entry of its type moves. */
export interface SideConditions extends Pick<Conditions, "by" | "names" | "repeats"> {
  /** The member of the state that has the instant from which on an entry may. */
  readonly since?: string;
}

/** What holds for every state of a kind. */
export interface StateConditions {
  /** Members that a state has, by its status. */
  readonly needs?: Readonly<Record<string, readonly string[]>>;
  /** Members that a state does not have, by its status. */
  readonly lacks?: Readonly<Record<string, readonly string[]>>;
  /** What a thing is taken to have before it is made; it has no other member then. */
  readonly initially?: JsonObject;
  /** Members of the entry that makes one, and the members of the state that equal them. */
  readonly records?: Readonly<Record<string, string>>;
  /** The member that numbers things of which one comes in the place of another: 1 for the first. */
  readonly numbered?: string;
  /** Of an entry that makes another in the place of one. */
  readonly replaced?: SideConditions;
  /** Of an entry that depends on one. */
  readonly dependedOn?: SideConditions;
  /** Members that never change. */
  readonly constant?: readonly string[];
  /** The members that can have the deadline of a state: the first that is there has it. */
  readonly deadline?: readonly string[];
  /**
   * A status that a thing comes to as soon as, and only when, enough different people have approved it: by entries of type `by`,
   * this one included, and by the requirements in member `requirements` of the entry that made it. Those that have member `unknown`
   * are by somebody who may be the person who asked for it: there have to be enough without any one of them. Member `decision` says how
   * it was approved, or denied; where it has `delegatedBy`, the actor decides in the place of the person `id`, who is one of its people, as a
   * member of `group` and nothing else.
   */
  readonly quorum?: {
    readonly status: string;
    readonly by: string;
    readonly requirements: string;
    readonly unknown: string;
    readonly decision: string;
  };
}
