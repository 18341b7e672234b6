import type { JsonObject } from "./canonical.ts";
import { checkBody, checkEnvelope } from "./check/check.ts";
import { type Payload, unsealed } from "./payload.ts";
import { type Fact, type FactType, type StateKind, type StateOf, VOCABULARY } from "./registry.ts";

interface Recorded {
  readonly body: JsonObject;
  readonly payload: Payload | undefined;
}

const known = new WeakMap<Recorded, Fact>();

/**
 * What an entry says, with its type. Erasable values are in their places, and undefined where they were erased. The body is
 * checked first. Of a type that is not known, which no caller can narrow to, only the members that every entry has are.
 *
 * @throws TypeError for a body that is not what its type says.
 */
export function factOf(entry: Recorded): Fact {
  let fact = known.get(entry);
  if (fact === undefined) {
    const { body, payload } = entry;
    const isKnown = VOCABULARY.facts.has(String(body.type));
    const [problem] = isKnown ? checkBody(body) : [...checkBody(body), ...checkEnvelope(body)];
    if (problem !== undefined)
      throw new TypeError(`an entry is not what its type ${String(body.type)} says: ${problem}`);
    fact = unsealed(body, payload) as unknown as Fact;
    known.set(entry, fact);
  }
  return fact;
}

/** The same for an entry that is expected to be of `type`. Throws TypeError for one that is not. */
export function factOfType<Type extends FactType>(entry: Recorded, type: Type): Fact<Type> {
  const fact = factOf(entry);
  if (fact.type !== type) throw new TypeError(`an entry of type ${fact.type} is no ${type}`);
  return fact as Fact<Type>;
}

/**
 * What an entry says of the thing `id` of `kind`, or of its first thing of that kind when no id is given; undefined when it
 * moves none. Throws TypeError for an entry that is not what its type says.
 */
export function stateIn<Kind extends StateKind>(entry: Recorded, kind: Kind, id?: string): StateOf<Kind> | undefined {
  const fact = factOf(entry);
  const states: readonly StateOf[] = "states" in fact ? fact.states : [];
  const found = states.find((item) => item.kind === kind && (id === undefined || item.id === id));
  return found as StateOf<Kind> | undefined;
}
