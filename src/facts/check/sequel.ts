import type { JsonObject, JsonValue } from "../canonical.ts";
import type { Conditions, SideConditions, StateConditions } from "../conditions.ts";
import { isSame, memberAt, objectOf, textOf } from "../members.ts";
import { countApprovals } from "../quorum.ts";
import { VOCABULARY } from "../registry.ts";
import type { Vocabulary } from "../vocabulary.ts";
import { conditionsFor } from "./agreement.ts";
import { type Authored, authorProblems, groupsOf, peopleOf, requirementsOf } from "./authors.ts";

/** A thing that an entry depends on, with the entry that made it. Bodies are those that `remembered` makes. */
export interface Dependent extends Authored {
  readonly kind: string;
}

/** A thing that an entry moves on, with what came before. */
export interface Sequel extends Dependent {
  readonly recordedAt: string;
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

function countProblems({ kind, before, after }: Sequel, { counts }: Conditions, problems: string[]) {
  if (counts !== undefined && memberAt(after, counts) !== Number(memberAt(before, counts)) + 1) {
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

function quorumProblems(
  { kind, body, before, after, maker, votes }: Sequel,
  { quorum }: StateConditions,
  problems: string[],
) {
  if (quorum === undefined || quorum.by !== body.type) return;
  const own = peopleOf(body);
  if (votes.some((vote) => peopleOf(vote).some((id) => own.includes(id)))) {
    problems.push(`${own.join(", ")} approved before: one person is one approval`);
  }
  if (before.status === quorum.status) return;
  const requirements = requirementsOf(maker, quorum.requirements);
  const have = countApprovals(requirements, distinct([...votes, body]));
  const lacking = [...requirements.entries()].filter(([at, { needed }]) => (have[at] ?? 0) < needed);
  if (after.status !== quorum.status) {
    if (lacking.length === 0) problems.push(`the ${kind} is ${textOf(after.status)} with all approvals needed`);
    return;
  }
  for (const [at, { group, needed }] of lacking) {
    problems.push(
      `the ${kind} is ${quorum.status} with ${have[at] ?? 0} of the ${needed} approvals needed of ${group}`,
    );
  }
}

/** Approvals by different people. */
function distinct(votes: readonly JsonObject[]): readonly { readonly groups: readonly string[] }[] {
  const seen = new Set<string>();
  return votes.flatMap((vote) => {
    const people = peopleOf(vote);
    if (people.length === 0 || people.some((id) => seen.has(id))) return [];
    for (const id of people) seen.add(id);
    return [{ groups: groupsOf(vote) }];
  });
}

/** The types of entries that count for a quorum. */
export function voteTypes({ states }: Pick<Vocabulary, "states">): readonly string[] {
  return [...states.values()].flatMap(({ conditions }) =>
    conditions?.quorum === undefined ? [] : [conditions.quorum.by],
  );
}

export const VOTE_TYPES = voteTypes(VOCABULARY);
