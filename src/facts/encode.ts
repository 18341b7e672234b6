import { seal, type UnsealedObject } from "./commitment.ts";
import { type Dependency, dependenciesOf } from "./dependencies.ts";
import { newId } from "./random.ts";
import type { EnvelopeDraft, FactDraft, FactType } from "./registry.ts";

/** A fact ready to be appended. */
export interface EncodedFact {
  /** The UUIDv7 in the body, by which a retry recognises it. */
  readonly id: string;
  readonly type: string;
  /** RFC 8785 text, commitments where erasable values were. */
  readonly body: string;
  /** The values and their salts, as RFC 8785 text; empty without any. */
  readonly payload: string;
  readonly dependencies: readonly Dependency[];
}

/**
 * The body of an entry: who acted, and what is recorded. The compiler checks that the fact has the members of its type and
 * moves the states that its type may move; a verifier checks the same with `checkBody`.
 */
export function bodyOf<Type extends FactType>(envelope: EnvelopeDraft, fact: FactDraft<Type>): UnsealedObject {
  return { ...envelope, ...fact } as unknown as UnsealedObject;
}

/**
 * The one way a body becomes bytes. Each call makes another entry, with a fresh id and fresh salts. Throws
 * NotCanonicalError for a value that has no canonical form.
 */
export function encode(body: UnsealedObject): EncodedFact {
  const id = newId();
  return { id, type: String(body.type), ...seal({ ...body, id }), dependencies: dependenciesOf(body) };
}
