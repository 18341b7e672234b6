import { ANY, type Step } from "./definition.ts";
import { FACTS } from "./registry.ts";

/** The steps of each kind, of all types of entries together. */
const STEPS = new Map<string, Step[]>();
for (const { moves, mayMove } of FACTS.values()) {
  for (const [kind, steps] of Object.entries<readonly Step[]>({ ...moves, ...mayMove })) {
    STEPS.set(kind, [...(STEPS.get(kind) ?? []), ...steps]);
  }
}

/**
 * Whether a thing of `kind` may come from the status `from`, null where an entry makes it, to the status `to`; undefined
 * stands for a state without one. By the tables of legal steps in FORMAT.md.
 */
export function isLegalStep(kind: string, from: string | null | undefined, to: string | undefined): boolean {
  const before = from === undefined ? ANY : from;
  return (STEPS.get(kind) ?? []).some(([one, other]) => one === before && other === (to ?? ANY));
}
