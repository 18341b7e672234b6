import type { JsonObject } from "./canonical.ts";
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
 * Whether a thing of `kind` may come to the state `to` from the state `from`, undefined where an entry makes it: by the
 * table "Legal steps" of FORMAT.md.
 */
export function isLegalStep(kind: string, from: JsonObject | undefined, to: JsonObject): boolean {
  const before = from === undefined ? null : (from.status ?? ANY);
  return (STEPS.get(kind) ?? []).some(([one, other]) => one === before && other === (to.status ?? ANY));
}
