import type { JsonObject } from "../canonical.ts";
import { listOf, memberAt, objectOf, textOf } from "../members.ts";
import { VOCABULARY } from "../registry.ts";
import type { Vocabulary } from "../vocabulary.ts";

/** An erasable value of a ledger: of the entry at a position, at a dotted path of its body. */
export interface ErasedValue {
  readonly seq: string;
  readonly path: string;
}

/** Returns the values that an entry with this body orders to be erased. */
export type Erasures = (body: JsonObject) => readonly ErasedValue[];

const NONE: readonly ErasedValue[] = [];

/** Undefined when no type orders erasures: then every value has to be there. */
export function createErasures({ facts }: Pick<Vocabulary, "facts">): Erasures | undefined {
  const lists = new Map<string, string>();
  for (const { type, erases } of facts.values()) if (erases !== undefined) lists.set(type, erases);
  if (lists.size === 0) return undefined;
  return (body) => {
    const list = lists.get(textOf(body.type));
    if (list === undefined) return NONE;
    return listOf(memberAt(body, list)).map((item) => {
      const { seq, path } = objectOf(item);
      return { seq: textOf(seq), path: textOf(path) };
    });
  };
}

/** Of entries of the product. */
export const erasuresOf = createErasures(VOCABULARY);
