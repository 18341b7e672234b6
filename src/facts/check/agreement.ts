import type { JsonObject } from "../canonical.ts";
import type { Conditions, StateConditions } from "../conditions.ts";
import type { AnyFact } from "../definition.ts";
import { microsecondsBetween } from "../entry.ts";
import { isSame, listOf, memberAt, objectOf, textOf } from "../members.ts";
import type { Vocabulary } from "../vocabulary.ts";
import type { MovedThing } from "./moves.ts";

/** What of an entry does not agree with the states in it, or with itself, as `<path>: <what>`. */
export type AgreementCheck = (body: JsonObject, things: readonly MovedThing[]) => readonly string[];

const NONE: readonly string[] = [];

/** The conditions of a type, those that hold by the value of a member included. */
export function conditionsFor({ conditions }: AnyFact, body: JsonObject): readonly Conditions[] {
  const { where } = conditions;
  if (where === undefined) return [conditions];
  const value = textOf(memberAt(body, where.member));
  const more = Object.hasOwn(where.is, value) ? where.is[value] : undefined;
  return more === undefined ? [conditions] : [conditions, more];
}

/** Whether the server itself acted. */
export function isSystem({ actor }: JsonObject): boolean {
  const { id, kind } = objectOf(actor);
  return id === "countersign" && kind === "SERVICE";
}

/** Whether a person acted. */
export function isHuman({ actor }: JsonObject): boolean {
  return objectOf(actor).kind === "HUMAN";
}

export function isAdministrator(body: JsonObject): boolean {
  return isHuman(body) && listOf(objectOf(body.actor).roles).includes("admin");
}

/** Of what can be told from one entry. The members of the body are right already. */
export function createAgreementCheck(fact: AnyFact, states: Vocabulary["states"]): AgreementCheck {
  const [main] = Object.keys(fact.moves);
  return (body, things) => {
    let problems: string[] | undefined;
    const complain = (problem: string) => {
      problems ??= [];
      problems.push(problem);
    };
    for (const thing of things) kindProblems(body, thing, states.get(thing.kind)?.conditions, complain);
    numberProblems(things, states, complain);
    const thing = things.find(({ kind }) => kind === main);
    for (const conditions of conditionsFor(fact, body)) {
      authorProblems(body, conditions, complain);
      for (const [path, value] of Object.entries(conditions.has ?? {})) {
        if (memberAt(body, path) !== value) complain(`${path}: is not ${value}`);
      }
      for (const [path, value] of Object.entries(conditions.hasNot ?? {})) {
        if (memberAt(body, path) === value) complain(`${path}: is ${value}`);
      }
      if (thing === undefined) continue;
      stateProblems(body, thing, conditions, complain);
      if (thing.version === 1) madeProblems(thing, conditions, states.get(thing.kind)?.conditions, complain);
    }
    return problems ?? NONE;
  };
}

type Complain = (problem: string) => void;

/** What holds for every state of a kind. */
function kindProblems(
  body: JsonObject,
  { kind, version, state }: MovedThing,
  conditions: StateConditions | undefined,
  complain: Complain,
) {
  if (conditions === undefined) return;
  const { needs = {}, lacks = {}, records = {} } = conditions;
  const status = textOf(state.status);
  for (const path of Object.hasOwn(needs, status) ? (needs[status] ?? []) : []) {
    if (memberAt(state, path) === undefined) complain(`states: ${kind} is ${status} without ${path}`);
  }
  for (const path of Object.hasOwn(lacks, status) ? (lacks[status] ?? []) : []) {
    if (memberAt(state, path) !== undefined) complain(`states: ${kind} is ${status} with ${path}`);
  }
  if (version === 1) recordProblems(body, kind, state, records, complain);
}

/** Of things of which one comes in the place of another: that they are numbered one after the other, from 1. */
function numberProblems(things: readonly MovedThing[], states: Vocabulary["states"], complain: Complain) {
  for (const { kind, version, state } of things) {
    const numbered = states.get(kind)?.conditions?.numbered;
    if (numbered === undefined || version !== 1) continue;
    const before = things.find((one) => one.kind === kind && one.version !== 1);
    const number = before === undefined ? 1 : Number(memberAt(before.state, numbered)) + 1;
    if (memberAt(state, numbered) !== number) complain(`states: ${numbered} of ${kind} is not ${number}`);
  }
}

/** Of an entry that makes a thing: that members which it may not change are what the kind has before. */
function madeProblems(
  { kind, state }: MovedThing,
  { keeps = [] }: Conditions,
  conditions: StateConditions | undefined,
  complain: Complain,
) {
  const initially = conditions?.initially ?? {};
  for (const path of keeps) {
    if (!isSame(memberAt(state, path), memberAt(initially, path))) {
      complain(`states: ${path} of ${kind} is not what a ${kind} has before it is made`);
    }
  }
}

/** Authors that an entry alone tells, and what they are called. Its roles were signed, or hashed, with it. */
const KNOWN_ALONE = {
  SYSTEM: { is: isSystem, named: "the server" },
  HUMAN: { is: isHuman, named: "a person" },
  ADMINISTRATOR: { is: isAdministrator, named: "an administrator" },
} as const;

type By = NonNullable<Conditions["by"]>;

/** Whether an entry alone tells that it is by one of these authors; of others, those before it tell. */
export function areKnownAlone(by: By): by is readonly (keyof typeof KNOWN_ALONE)[] {
  return by.every((author) => typeof author === "string" && Object.hasOwn(KNOWN_ALONE, author));
}

function authorProblems(body: JsonObject, { by }: Conditions, complain: Complain) {
  if (by === undefined || !areKnownAlone(by)) return;
  const authors = by.map((author) => KNOWN_ALONE[author]);
  if (!authors.some(({ is }) => is(body))) complain(`actor: is not ${authors.map(({ named }) => named).join(" or ")}`);
}

function stateProblems(body: JsonObject, thing: MovedThing, conditions: Conditions, complain: Complain) {
  const { kind, state } = thing;
  const { leadsTo, sets = {}, needs = [], lacks = [], records = {} } = conditions;
  if (leadsTo !== undefined) {
    const value = textOf(memberAt(body, leadsTo.member));
    if (!Object.hasOwn(leadsTo.status, value) || leadsTo.status[value] !== state.status) {
      complain(`states: ${leadsTo.member} ${value} leads no ${kind} to ${textOf(state.status)}`);
    }
  }
  for (const [path, value] of Object.entries(sets)) {
    if (memberAt(state, path) !== value) complain(`states: ${path} of ${kind} is not ${value}`);
  }
  for (const path of needs) {
    if (memberAt(state, path) === undefined) complain(`states: ${kind} is without ${path}`);
  }
  for (const path of lacks) {
    if (memberAt(state, path) !== undefined) complain(`states: ${kind} is with ${path}`);
  }
  recordProblems(body, kind, state, records, complain);
  valueProblems(body, thing, conditions, complain);
}

/** Of members of the new state among each other, and among lists of the entry. */
function valueProblems(body: JsonObject, { kind, state }: MovedThing, conditions: Conditions, complain: Complain) {
  const { lists = {}, differ = [], lasts } = conditions;
  for (const [path, inState] of Object.entries(lists)) {
    const value = memberAt(state, inState);
    if (!listOf(memberAt(body, path)).some((item) => isSame(item, value))) {
      complain(`states: ${inState} of ${kind} is not among ${path} of the entry`);
    }
  }
  const values = differ.map((path) => memberAt(state, path));
  if (values.some((one, at) => values.slice(0, at).some((other) => isSame(one, other)))) {
    complain(`states: ${differ.join(" and ")} of ${kind} are the same`);
  }
  if (lasts === undefined) return;
  const { from, to, days } = lasts;
  const time = microsecondsBetween(textOf(memberAt(state, from)), textOf(memberAt(state, to)));
  if (!(time > 0 && time <= days * DAY)) {
    complain(`states: ${to} of ${kind} is not after ${from}, or more than ${days} days`);
  }
}

/** Microseconds. */
const DAY = 86_400_000_000;

function recordProblems(
  body: JsonObject,
  kind: string,
  state: JsonObject,
  records: Readonly<Record<string, string>>,
  complain: Complain,
) {
  for (const [path, inState] of Object.entries(records)) {
    if (!isSame(memberAt(body, path), memberAt(state, inState))) {
      complain(`states: ${inState} of ${kind} is not ${path} of the entry`);
    }
  }
}
