import { CanonicalText } from "./canonical.ts";
import { parseJson } from "./parse-json.ts";
import { VOCABULARY } from "./registry.ts";
import type { Vocabulary } from "./vocabulary.ts";

/**
 * Whether an entry with this body can permit, widen, erase, prune or acknowledge something, and has to be signed for that:
 * a body as it is written, or as it is stored.
 */
export type PermitsCheck = (body: { readonly [member: string]: unknown }) => boolean;

export function createPermitsCheck({ facts }: Pick<Vocabulary, "facts">): PermitsCheck {
  return (body) => {
    const permits = typeof body.type === "string" && facts.get(body.type)?.permits;
    if (typeof permits !== "object") return permits === true;
    return memberAt(body, permits.where.split(".")) === permits.is;
  };
}

/** Of facts of the product. */
export const canPermit = createPermitsCheck(VOCABULARY);

function memberAt(body: unknown, way: readonly string[]): unknown {
  let value = body;
  for (const key of way) {
    const object = value instanceof CanonicalText ? parsed(value) : value;
    value =
      typeof object === "object" && object !== null && Object.hasOwn(object, key)
        ? Reflect.get(object, key)
        : undefined;
  }
  return value;
}

/** Text that is canonical already is that of a policy, the same in many bodies. */
const known = new WeakMap<CanonicalText, unknown>();

function parsed(text: CanonicalText): unknown {
  if (!known.has(text)) known.set(text, parseJson(text.text));
  return known.get(text);
}
