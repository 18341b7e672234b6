import { VOCABULARY } from "./registry.ts";

/**
 * Whether an entry with this body can permit, widen, erase, prune or acknowledge something, and has to be signed for that:
 * a body as it is written, or as it is stored.
 */
export function canPermit({ type }: { readonly type?: unknown }): boolean {
  return typeof type === "string" && VOCABULARY.facts.get(type)?.permits === true;
}
