import { hash, timingSafeEqual } from "node:crypto";
import { isInnerList, parseDictionary } from "structured-headers";

/** Algorithms of RFC 9530 that are not broken. */
const ALGORITHMS = new Map([
  ["sha-256", "sha256"],
  ["sha-512", "sha512"],
]);
const MAX_FIELD = 1024;

/**
 * Whether a Content-Digest field (RFC 9530, section 2) is that of `body`: it has a digest of an algorithm that holds,
 * and no such digest is another's. A signature that covers the field speaks of the body only where this is true.
 */
export function contentDigestHolds(field: string, body: Uint8Array): boolean {
  if (field.length > MAX_FIELD) return false;
  let digests: ReturnType<typeof parseDictionary>;
  try {
    digests = parseDictionary(field);
  } catch {
    return false;
  }
  let held = false;
  for (const [name, member] of digests) {
    const algorithm = ALGORITHMS.get(name);
    if (algorithm === undefined) continue;
    const value = isInnerList(member) ? undefined : member[0];
    const expected = hash(algorithm, body, "buffer");
    if (!(value instanceof ArrayBuffer) || value.byteLength !== expected.length) return false;
    if (!timingSafeEqual(new Uint8Array(value), expected)) return false;
    held = true;
  }
  return held;
}
