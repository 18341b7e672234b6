import type { JsonObject, JsonValue } from "../canonical.ts";
import type { Conditions, SideConditions, StateConditions } from "../conditions.ts";
import { microsecondsBetween } from "../entry.ts";
import { isSame, memberAt, objectOf, textOf } from "../members.ts";
import { type NeededApprovals, Seats } from "../quorum.ts";
import { VOCABULARY } from "../registry.ts";
import type { Vocabulary } from "../vocabulary.ts";
import { conditionsFor } from "./agreement.ts";
import { type Authored, approverIn, askedBy, authorProblems, delegatorIn, peopleOf } from "./authors.ts";

/** A thing that an entry depends on, with the entry that made it. Bodies are those that `remembered` makes. */
export interface Dependent extends Authored {
  readonly kind: string;
}

/** A thing that an entry moves on, with what came before. */
export interface Sequel extends Dependent {
  readonly after: JsonObject;
  /** The entries so far that count for its quorum. */
  readonly votes: readonly JsonObject[];
}

/** Why an entry may not follow those before it; none: it may. */
export type SequelCheck = (sequel: Sequel) => readonly string[];

const NONE: readonly string[] = [];

export function createSequelCheck({ facts, states }: Vocabulary): SequelCheck {
  return (sequel) => {
    const { kind, body } = sequel;
    const fact = facts.get(textOf(body.type));
    const state = states.get(kind)?.conditions ?? {};
    if (fact === undefined) return NONE;
    const problems: string[] = [];
    keepProblems(sequel, state.constant ?? NONE, problems);
    quorumProblems(sequel, state, problems);
    // Conditions of a type are about the thing that each of its entries moves.
    if (!Object.hasOwn(fact.moves, kind)) {
      sideProblems(sequel, state.replaced, state, problems);
      return problems;
    }
    for (const conditions of conditionsFor(fact, body)) {
      authorProblems(sequel, conditions, state, problems);
      memberProblems(sequel, conditions, problems);
      countProblems(sequel, conditions, problems);
      keepProblems(sequel, conditions.keeps ?? NONE, problems);
      deadlineProblems(sequel, conditions, state, problems);
      endProblems(sequel, conditions, problems);
    }
    return problems;
  };
}

/** Of the product, by the conditions in FORMAT.md. */
export const checkSequel = createSequelCheck(VOCABULARY);

/** Why an entry may not depend on a thing; none: it may. */
export type DependentCheck = (dependent: Dependent) => readonly string[];

export function createDependentCheck({ states }: Pick<Vocabulary, "states">): DependentCheck {
  return (dependent) => {
    const state = states.get(dependent.kind)?.conditions;
    if (state?.dependedOn === undefined) return NONE;
    const problems: string[] = [];
    sideProblems(dependent, state.dependedOn, state, problems);
    return problems;
  };
}

export const checkDependent = createDependentCheck(VOCABULARY);

function sideProblems(
  dependent: Dependent,
  conditions: SideConditions | undefined,
  state: StateConditions,
  problems: string[],
) {
  if (conditions === undefined) return;
  authorProblems(dependent, conditions, state, problems);
  memberProblems(dependent, conditions, problems);
  const { kind, before, recordedAt } = dependent;
  const since = conditions.since === undefined ? undefined : memberAt(before, conditions.since);
  if (typeof since === "string" && recordedAt < since) problems.push(`the ${kind} can be used from ${since} on`);
}

/** What of a body has to be kept to judge later entries about the things that it moves. */
export function remembered(body: JsonObject): JsonObject {
  const kept: { [name: string]: JsonValue | undefined } = {};
  for (const name in body) {
    const member = body[name];
    if (NEVER_COMPARED.has(name) || objectOf(member).commit !== undefined) continue;
    kept[name] = member;
  }
  return kept;
}

const NEVER_COMPARED: ReadonlySet<string> = new Set(["client", "id", "states", "traceId"]);

function memberProblems({ kind, body, before, maker }: Dependent, conditions: SideConditions, problems: string[]) {
  const { names = {}, repeats = {} } = conditions;
  for (const [path, inState] of Object.entries(names)) {
    if (!isSame(memberAt(body, path), memberAt(before, inState))) {
      problems.push(`${path} is not ${inState} of the ${kind} before`);
    }
  }
  for (const [path, inMaker] of Object.entries(repeats)) {
    if (!isSame(memberAt(body, path), memberAt(maker, inMaker))) {
      problems.push(`${path} is not ${inMaker} of the entry that made the ${kind}`);
    }
  }
}

function countProblems({ kind, before, after }: Sequel, { counts }: Conditions, problems: string[]): void {
  if (counts === undefined) return;
  const had = memberAt(before, counts);
  if (typeof had !== "number" || memberAt(after, counts) !== had + 1) {
    problems.push(`${counts} of the ${kind} is not one more than before`);
  }
}

function keepProblems({ kind, before, after }: Sequel, paths: readonly string[], problems: string[]) {
  for (const path of paths) {
    if (!isSame(memberAt(before, path), memberAt(after, path)))
      problems.push(`${path} of the ${kind} is another than before`);
  }
}

function deadlineProblems(
  { kind, before, recordedAt }: Sequel,
  { deadline }: Conditions,
  state: StateConditions,
  problems: string[],
) {
  if (deadline === undefined) return;
  const at = (state.deadline ?? []).map((path) => memberAt(before, path)).find((value) => value !== undefined);
  if (deadline === "KEPT" && typeof at === "string" && recordedAt >= at) {
    problems.push(`the deadline of the ${kind}, ${at}, had passed`);
  }
  if (deadline === "PASSED" && (typeof at !== "string" || recordedAt < at)) {
    problems.push(`the deadline of the ${kind}, ${textOf(at) || "which has none"}, had not passed`);
  }
}

function endProblems({ kind, after, recordedAt }: Sequel, { endsWithin }: Conditions, problems: string[]) {
  if (endsWithin === undefined) return;
  const { path, seconds } = endsWithin;
  const time = microsecondsBetween(recordedAt, textOf(memberAt(after, path)));
  if (!(time <= seconds * 1_000_000)) problems.push(`${path} of the ${kind} is more than ${seconds} seconds off`);
}

function quorumProblems(sequel: Sequel, { quorum }: StateConditions, problems: string[]) {
  const { kind, body, before, after, maker } = sequel;
  if (quorum === undefined || quorum.by !== body.type) return;
  const { requirements } = askedBy(maker, quorum.requirements);
  const { repeated, seats } = approvalsWith(sequel, requirements, quorum);
  if (repeated.length > 0) problems.push(`${repeated.join(", ")} approved before: one person is one approval`);
  if (before.status === quorum.status) return;
  if (after.status !== quorum.status) {
    if (seats.isEnough) problems.push(`the ${kind} is ${textOf(after.status)} with all approvals needed`);
    return;
  }
  if (seats.isEnough) return;
  const have = seats.counts();
  const missing = requirements.flatMap(({ group, role, needed }, at) => {
    const got = have[at] ?? 0;
    if (got >= needed) return [];
    const whom = role === true ? `role ${group}` : group;
    return [`the ${kind} is ${quorum.status} with ${got} of the ${needed} approvals needed of ${whom}`];
  });
  const oneMore = `the ${kind} is ${quorum.status} with an approval that has ${quorum.unknown}, and not with one more`;
  problems.push(...(missing.length > 0 ? missing : [oneMore]));
}

type Quorum = NonNullable<StateConditions["quorum"]>;

/** Approvals of a thing, as far as they were counted. */
interface Counted {
  /** In their order. */
  readonly bodies: JsonObject[];
  readonly people: Set<string>;
  readonly seats: Seats;
  /** People of the last one who had approved before it. */
  repeated: readonly string[];
}

/** By the list of approvals, which only grows: each is counted once, however many there are. */
const counted = new WeakMap<readonly JsonObject[], Counted>();

/** The approvals of a thing, that of the entry included. */
function approvalsWith(
  { votes, body, maker }: Sequel,
  requirements: readonly NeededApprovals[],
  quorum: Quorum,
): Counted {
  let known = counted.get(votes);
  const [have, all] = [known?.bodies ?? [], votes.length + 1];
  // Another entry claims to be the next one.
  if (
    known === undefined ||
    have.length > all ||
    (have.length === all && have.at(-1) !== body) ||
    isOther(have, votes)
  ) {
    known = { bodies: [], people: new Set(), seats: new Seats(requirements), repeated: NONE };
    counted.set(votes, known);
  }
  for (let at = known.bodies.length; at < all; at += 1) count(known, votes[at] ?? body, maker, quorum);
  return known;
}

/** Whether what was counted last as the next approval is not the one that was taken up. */
function isOther(have: readonly JsonObject[], votes: readonly JsonObject[]): boolean {
  const last = have.length - 1;
  return last >= 0 && last < votes.length && have[last] !== votes[last];
}

function count(known: Counted, body: JsonObject, maker: JsonObject, quorum: Quorum): void {
  const delegator = delegatorIn(body, quorum);
  const people = [...peopleOf(body), ...(delegator === undefined ? [] : [delegator])];
  known.repeated = people.filter((id) => known.people.has(id));
  if (people.length > 0 && known.repeated.length === 0) {
    known.seats.add({ ...approverIn(body, maker, quorum), isUnknown: memberAt(body, quorum.unknown) !== undefined });
  }
  for (const id of people) known.people.add(id);
  known.bodies.push(body);
}

/** The types of entries that count for a quorum. */
export function voteTypes({ states }: Pick<Vocabulary, "states">): readonly string[] {
  return [...states.values()].flatMap(({ conditions }) =>
    conditions?.quorum === undefined ? [] : [conditions.quorum.by],
  );
}

export const VOTE_TYPES = voteTypes(VOCABULARY);
