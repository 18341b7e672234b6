import { ANY, type Step } from "../definition.ts";
import { VOCABULARY } from "../registry.ts";
import type { Vocabulary } from "../vocabulary.ts";

/**
 * Whether an entry of `type` may bring a thing of `kind` from the status `from`, null where it makes it, to the status `to`;
 * undefined stands for a state without one.
 */
export type StepCheck = (
  kind: string,
  from: string | null | undefined,
  to: string | undefined,
  type: string,
) => boolean;

/** The steps of each kind, by the type of the entry. */
export function createStepCheck({ facts }: Pick<Vocabulary, "facts">): StepCheck {
  return (kind, from, to, type) => {
    const before = from === undefined ? ANY : from;
    const fact = facts.get(type);
    // A type that is not known may move nothing, which the check of its body reports.
    if (fact === undefined) return true;
    const steps: readonly Step[] = [...stepsOf(fact.moves, kind), ...stepsOf(fact.mayMove, kind)];
    return steps.some(([one, other]) => one === before && other === (to ?? ANY));
  };
}

function stepsOf(moves: Readonly<Record<string, readonly Step[]>>, kind: string): readonly Step[] {
  return Object.hasOwn(moves, kind) ? (moves[kind] ?? []) : [];
}

/** By the tables of legal steps in FORMAT.md. */
export const isLegalStep = createStepCheck(VOCABULARY);
