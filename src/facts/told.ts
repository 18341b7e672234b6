import type { JsonObject } from "./canonical.ts";
import { type Payload, unsealed } from "./payload.ts";
import type { Fact, FactType, State, StateKind } from "./registry.ts";

interface Recorded {
  readonly type: string;
  readonly body: JsonObject;
  readonly payload: Payload | undefined;
}

const known = new WeakMap<Recorded, Fact>();

/**
 * What an entry says, with its type. Erasable values are in their places, and undefined where they were erased. Bodies are
 * trusted to have the shape of their type: verification checks it (`checkBody`), and readers narrow by `type` first.
 */
export function factOf(entry: Recorded): Fact {
  let fact = known.get(entry);
  if (fact === undefined) {
    fact = unsealed(entry.body, entry.payload) as unknown as Fact;
    known.set(entry, fact);
  }
  return fact;
}

/** The same for an entry that is expected to be of `type`. Throws TypeError for one that is not. */
export function factOfType<Type extends FactType>(entry: Recorded, type: Type): Fact<Type> {
  if (entry.type !== type) throw new TypeError(`an entry of type ${entry.type} is no ${type}`);
  return factOf(entry) as Fact<Type>;
}

/** What a thing of `kind` is from this entry on, or undefined when the entry moves none. */
export function stateIn<Kind extends StateKind>(
  { body }: Pick<Recorded, "body">,
  kind: Kind,
): { readonly id: string; readonly version: number; readonly state: State<Kind> } | undefined {
  const states = Array.isArray(body.states) ? (body.states as readonly JsonObject[]) : [];
  return states.find((item) => item.kind === kind) as ReturnType<typeof stateIn<Kind>>;
}
