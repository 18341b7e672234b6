import type { AnyFact, AnyState } from "./definition.ts";

/** What the entries of one area say: its kinds of state and its types of facts. */
export interface Area {
  readonly states: readonly AnyState[];
  readonly facts: readonly AnyFact[];
}

/** Areas together, by type and by kind. */
export interface Vocabulary {
  readonly facts: ReadonlyMap<string, AnyFact>;
  readonly states: ReadonlyMap<string, AnyState>;
}

/** Throws an Error for a type or kind that two areas define, for a fact that moves a kind that none defines, or erases unsigned. */
export function createVocabulary(areas: readonly Area[]): Vocabulary {
  const states = new Map<string, AnyState>();
  for (const state of areas.flatMap((area) => area.states)) {
    if (states.has(state.kind)) throw new Error(`the kind ${state.kind} is defined twice`);
    states.set(state.kind, state);
  }
  const facts = new Map<string, AnyFact>();
  for (const fact of areas.flatMap((area) => area.facts)) {
    if (facts.has(fact.type)) throw new Error(`the type ${fact.type} is defined twice`);
    const unknown = [...Object.keys(fact.moves), ...Object.keys(fact.mayMove)].find((kind) => !states.has(kind));
    if (unknown !== undefined) throw new Error(`${fact.type} moves the kind ${unknown}, which is not defined`);
    if (fact.erases !== undefined && !fact.permits) throw new Error(`${fact.type} orders erasures and is not signed`);
    facts.set(fact.type, fact);
  }
  return { facts, states };
}
