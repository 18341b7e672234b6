import type { JsonObject } from "../canonical.ts";
import type { Conditions, StateConditions } from "../conditions.ts";
import type { AnyFact } from "../definition.ts";
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
    for (const { kind, state } of things) needProblems(kind, state, states.get(kind)?.conditions, complain);
    const thing = things.find(({ kind }) => kind === main);
    for (const conditions of conditionsFor(fact, body)) {
      authorProblems(body, conditions, complain);
      for (const [path, value] of Object.entries(conditions.has ?? {})) {
        if (memberAt(body, path) !== value) complain(`${path}: is not ${value}`);
      }
      if (thing !== undefined) stateProblems(body, thing, conditions, complain);
    }
    return problems ?? NONE;
  };
}

type Complain = (problem: string) => void;

function needProblems(kind: string, state: JsonObject, conditions: StateConditions | undefined, complain: Complain) {
  const status = textOf(state.status);
  const needs = conditions?.needs ?? {};
  for (const path of Object.hasOwn(needs, status) ? (needs[status] ?? []) : []) {
    if (memberAt(state, path) === undefined) complain(`states: ${kind} is ${status} without ${path}`);
  }
}

/** Whether an entry alone tells that it is by one of these authors; of others, those before it tell. */
export function areKnownAlone(by: NonNullable<Conditions["by"]>): boolean {
  return by.every((author) => author === "SYSTEM" || author === "HUMAN");
}

function authorProblems(body: JsonObject, { by }: Conditions, complain: Complain) {
  if (by === undefined || !areKnownAlone(by)) return;
  const fits = by.some((author) => (author === "SYSTEM" ? isSystem(body) : isHuman(body)));
  if (!fits)
    complain(`actor: is not ${by.map((author) => (author === "SYSTEM" ? "the server" : "a person")).join(" or ")}`);
}

function stateProblems(body: JsonObject, { kind, state }: MovedThing, conditions: Conditions, complain: Complain) {
  const { leadsTo, sets = {}, records = {} } = conditions;
  if (leadsTo !== undefined) {
    const value = textOf(memberAt(body, leadsTo.member));
    if (!Object.hasOwn(leadsTo.status, value) || leadsTo.status[value] !== state.status) {
      complain(`states: ${leadsTo.member} ${value} leads no ${kind} to ${textOf(state.status)}`);
    }
  }
  for (const [path, value] of Object.entries(sets)) {
    if (memberAt(state, path) !== value) complain(`states: ${path} of ${kind} is not ${value}`);
  }
  for (const [path, inState] of Object.entries(records)) {
    if (!isSame(memberAt(body, path), memberAt(state, inState))) {
      complain(`states: ${inState} of ${kind} is not ${path} of the entry`);
    }
  }
}
