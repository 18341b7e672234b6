import type { GuardFact } from "./fact.ts";

/** Facts, or problems, by object. */
export type ByObject = Readonly<Record<string, readonly string[]>>;

export interface GuardProblem {
  readonly object: string;
  readonly problem: string;
}

/** A class of which there may be no object: the partitions of all months. */
const MONTHS = /<month>$/;
const EVENT_TRIGGER = /^event trigger /;
/** What matters to event triggers alone. */
const FOR_EVENT_TRIGGERS = [/^event trigger /, /^oc_guard\.baseline$/];
const NO_EVENT_TRIGGERS = {
  object: "event triggers",
  problem: "missing: a superuser has to create them. Until then a change of the schema can weaken the other guards",
} as const;

/** Whether one of the event triggers in `expected` is there. */
export const hasEventTriggers = (facts: readonly GuardFact[], expected: ByObject): boolean =>
  facts.some(({ object }) => EVENT_TRIGGER.test(object) && expected[object] !== undefined);

/** How `facts` differ from those `expected` by class, but for the problems `excepted` by object. */
export function compareGuards(
  facts: readonly GuardFact[],
  expected: ByObject,
  excepted: ByObject = {},
): readonly GuardProblem[] {
  const withEventTriggers = hasEventTriggers(facts, expected);
  const problems: GuardProblem[] = withEventTriggers ? [] : [NO_EVENT_TRIGGERS];
  for (const [name, object] of objectsOf(facts, expected)) {
    const wanted = new Set(expected[object.class]);
    for (const { fact, open } of object.facts) {
      if (!open && !wanted.has(fact)) problems.push({ object: name, problem: `unexpected: ${fact}` });
    }
    const unneeded = !withEventTriggers && FOR_EVENT_TRIGGERS.some((pattern) => pattern.test(name));
    const found = new Set(object.facts.map(({ fact }) => fact));
    for (const fact of unneeded ? [] : wanted) {
      if (!found.has(fact)) problems.push({ object: name, problem: `missing: ${fact}` });
    }
  }
  return problems
    .filter(({ object, problem }) => excepted[object]?.includes(problem) !== true)
    .toSorted((a, b) => (a.object + a.problem < b.object + b.problem ? -1 : 1));
}

function objectsOf(facts: readonly GuardFact[], expected: ByObject) {
  const objects = new Map<string, { readonly class: string; readonly facts: GuardFact[] }>();
  for (const name of Object.keys(expected)) if (!MONTHS.test(name)) objects.set(name, { class: name, facts: [] });
  for (const fact of facts) {
    const object = objects.get(fact.object) ?? { class: fact.class, facts: [] };
    object.facts.push(fact);
    objects.set(fact.object, object);
  }
  return objects;
}
