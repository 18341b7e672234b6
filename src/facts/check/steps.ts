import { ANY, type Step } from "../definition.ts";
import { VOCABULARY } from "../registry.ts";
import type { Vocabulary } from "../vocabulary.ts";

/**
 * Whether a thing of `kind` may come from the status `from`, null where an entry makes it, to the status `to`; undefined
 * stands for a state without one.
 */
export type StepCheck = (kind: string, from: string | null | undefined, to: string | undefined) => boolean;

/** The steps of each kind, of all types of entries together. */
export function createStepCheck({ facts }: Pick<Vocabulary, "facts">): StepCheck {
  const all = new Map<string, Step[]>();
  for (const { moves, mayMove } of facts.values()) {
    for (const [kind, steps] of Object.entries<readonly Step[]>({ ...moves, ...mayMove })) {
      all.set(kind, [...(all.get(kind) ?? []), ...steps]);
    }
  }
  return (kind, from, to) => {
    const before = from === undefined ? ANY : from;
    return (all.get(kind) ?? []).some(([one, other]) => one === before && other === (to ?? ANY));
  };
}

/** By the tables of legal steps in FORMAT.md. */
export const isLegalStep = createStepCheck(VOCABULARY);
