import { CanonicalText } from "./canonical.ts";
import { type Sealed, seal, type UnsealedObject } from "./commitment.ts";
import { type Condition, conditionsOf } from "./dependencies.ts";
import { canPermit } from "./permits.ts";
import { newId } from "./random.ts";
import type { EnvelopeDraft, FactDraft, FactType } from "./registry.ts";
import { SIGNATURE_MEMBER } from "./signature.ts";

/** A fact ready to be appended. */
export interface EncodedFact {
  /** The UUIDv7 in the body, by which a retry recognises it. */
  readonly id: string;
  readonly type: string;
  /** RFC 8785 text, commitments where erasable values were. */
  readonly body: string;
  /** The values and their salts, as RFC 8785 text; empty without any. */
  readonly payload: string;
  readonly dependencies: readonly Condition[];
  /** Whether it can permit something and is therefore signed. */
  readonly signed: boolean;
}

/** Signs the RFC 8785 text of a body; returns the compact JWS with detached content (signature.ts). */
export type SignBody = (unsigned: string) => string;

/**
 * The body of an entry: who acted, and what is recorded. The compiler checks that the fact has the members of its type and
 * moves the states that its type may move; a verifier checks the same with `checkBody`.
 */
export function bodyOf<Type extends FactType>(envelope: EnvelopeDraft, fact: FactDraft<Type>): UnsealedObject {
  return { ...envelope, ...fact } as unknown as UnsealedObject;
}

/**
 * The one way a body becomes bytes. Each call makes another entry, with a fresh id and fresh salts. `sign` is called for a
 * fact that can permit something, and for no other. Throws NotCanonicalError for a value that has no canonical form.
 */
export function encode(body: UnsealedObject, sign: SignBody): EncodedFact {
  const id = newId();
  const signed = canPermit(body);
  const sealed = signed ? withSignature(seal({ ...body, id, signature: PLACE }), sign) : seal({ ...body, id });
  return { id, type: String(body.type), ...sealed, dependencies: conditionsOf(body), signed };
}

/** Stands where the signature will. Canonical text contains it nowhere else: JSON escapes control characters. */
const PLACE = new CanonicalText("\u0001");

function withSignature({ body, payload }: Sealed, sign: SignBody): Sealed {
  const at = body.indexOf(PLACE.text);
  const [before, after] = [body.slice(0, at), body.slice(at + PLACE.text.length)];
  const signature = sign(`${before.slice(0, -SIGNATURE_MEMBER.length)}${after}`);
  return { body: `${before}"${signature}"${after}`, payload };
}
