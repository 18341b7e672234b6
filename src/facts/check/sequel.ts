import type { JsonObject, JsonValue } from "../canonical.ts";
import type { Author, Conditions, StateConditions } from "../conditions.ts";
import { isSame, listOf, memberAt, objectOf, textOf } from "../members.ts";
import { countApprovals } from "../quorum.ts";
import { VOCABULARY } from "../registry.ts";
import type { Vocabulary } from "../vocabulary.ts";
import { areKnownAlone, conditionsFor, isAdministrator, isHuman, isSystem } from "./agreement.ts";

/** A thing that an entry moves on, with what came before. Bodies are those that `remembered` makes. */
export interface Sequel {
  readonly kind: string;
  readonly body: JsonObject;
  readonly recordedAt: string;
  readonly before: JsonObject;
  readonly after: JsonObject;
  /** The entry that made the thing. */
  readonly maker: JsonObject;
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
    if (!Object.hasOwn(fact.moves, kind)) return problems;
    for (const conditions of conditionsFor(fact, body)) {
      authorProblems(sequel, conditions, state, problems);
      memberProblems(sequel, conditions, problems);
      keepProblems(sequel, conditions.keeps ?? NONE, problems);
      deadlineProblems(sequel, conditions, state, problems);
    }
    return problems;
  };
}

/** Of the product, by the conditions in FORMAT.md. */
export const checkSequel = createSequelCheck(VOCABULARY);

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

function authorProblems(sequel: Sequel, { by }: Conditions, state: StateConditions, problems: string[]) {
  if (by === undefined || areKnownAlone(by)) return;
  const { body, before, maker } = sequel;
  const fits = by.some((one) => {
    if (typeof one === "string") return isBy(one, sequel, state);
    return before.status === one.from && isBy(one.author, sequel, state);
  });
  if (fits) return;
  const [id, made] = [textOf(objectOf(body.actor).id), textOf(objectOf(maker.actor).id)];
  problems.push(`${id} may not record it: it is for ${by.map(named).join(" or ")} of what ${made} made`);
}

const named = (one: NonNullable<Conditions["by"]>[number]) => (typeof one === "string" ? one : one.author);

function isBy(author: Author, { body, maker }: Sequel, state: StateConditions): boolean {
  switch (author) {
    case "SYSTEM":
      return isSystem(body);
    case "HUMAN":
      return isHuman(body);
    case "ADMINISTRATOR":
      return isAdministrator(body);
    case "MAKER":
      return isSameCaller(body, maker);
    case "APPROVER":
      return isApprover(body, maker, state);
  }
}

function isSameCaller(one: JsonObject, other: JsonObject): boolean {
  return ["actor", "onBehalfOf"].every((member) => {
    const [here, there] = [objectOf(one[member]), objectOf(other[member])];
    return here.id === there.id && here.kind === there.kind;
  });
}

function isApprover(body: JsonObject, maker: JsonObject, { quorum }: StateConditions): boolean {
  if (!isHuman(body)) return false;
  const requester = [textOf(objectOf(maker.actor).id), ...peopleOf(maker)];
  if (peopleOf(body).some((id) => requester.includes(id))) return false;
  const groups = groupsOf(body);
  return requirementsOf(maker, quorum?.requirements).some(({ group }) => groups.includes(group));
}

/** Ids of the people who act in an entry: its actor, and whom that acts for. */
function peopleOf({ actor, onBehalfOf }: JsonObject): readonly string[] {
  return [actor, onBehalfOf].flatMap((part) => {
    const { id, kind } = objectOf(part);
    return kind === "HUMAN" ? [textOf(id)] : [];
  });
}

const groupsOf = ({ actor }: JsonObject) => listOf(objectOf(actor).groups).map(textOf);

function requirementsOf(maker: JsonObject, path: string | undefined) {
  return listOf(path === undefined ? undefined : memberAt(maker, path)).map((item) => {
    const { group, needed } = objectOf(item);
    return { group: textOf(group), needed: Number(needed) };
  });
}

function memberProblems({ kind, body, before, after, maker }: Sequel, conditions: Conditions, problems: string[]) {
  const { names = {}, repeats = {}, counts } = conditions;
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
  if (after.status !== quorum.status || before.status === quorum.status) return;
  const requirements = requirementsOf(maker, quorum.requirements);
  const have = countApprovals(requirements, distinct([...votes, body]));
  for (const [at, { group, needed }] of requirements.entries()) {
    const count = have[at] ?? 0;
    if (count < needed) {
      problems.push(`the ${kind} is ${quorum.status} with ${count} of the ${needed} approvals needed of ${group}`);
    }
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
