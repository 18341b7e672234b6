import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import type { JsonObject, JsonValue } from "./canonical.ts";

/**
 * Erasable values. The hashed body holds a salted commitment; salt and value live in `oc_audit_payload`, so that erasing
 * the value later leaves every hash as it was.
 *
 *     commit = SHA-256( "countersign/commit/v1" 0x00, 16-byte salt, RFC 8785 text of the value )
 */
export const DOMAIN = utf8ToBytes("countersign/commit/v1\0");

/** The hex commitment to `text` (the canonical text of a value) under `salt` (32 hex digits). */
export function commit(salt: string, text: string): string {
  return bytesToHex(sha256(concatBytes(DOMAIN, hexToBytes(salt), utf8ToBytes(text))));
}

/** One erasable value as stored. */
export interface StoredValue {
  readonly salt: string;
  readonly value: JsonValue;
}
export type Payload = { readonly [path: string]: StoredValue };

/** `body` with the values of `payload` put back in place; commitments whose value was erased stay as they are. */
export function unseal(body: JsonObject, payload: Payload | undefined): JsonObject {
  if (payload === undefined) return body;
  const filled = structuredClone(body);
  for (const [path, stored] of Object.entries(payload)) put(filled, path.split("."), stored.value);
  return filled;
}

function put(target: unknown, [key, ...rest]: readonly string[], value: JsonValue): void {
  if (key === undefined || !isContainer(target) || !Object.hasOwn(target, key)) return;
  if (rest.length > 0) put(target[key], rest, value);
  // Nothing but a commitment gives way: what stands in the body itself cannot be talked over by a payload.
  else if (isCommitment(target[key])) target[key] = value;
}

function isContainer(value: unknown): value is { [key: string]: unknown } {
  return typeof value === "object" && value !== null;
}

function isCommitment(value: unknown): boolean {
  return isContainer(value) && typeof value.commit === "string" && Object.keys(value).length === 1;
}

/** The same for readers that need no commitments: where a value was erased, undefined stands. Shares the values. */
export function unsealed(body: JsonObject, payload: Payload | undefined): unknown {
  const fill = (value: unknown, path: string): unknown => {
    if (!isContainer(value)) return value;
    if (isCommitment(value)) return payload?.[path]?.value;
    const below = (key: string) => (path === "" ? key : `${path}.${key}`);
    if (Array.isArray(value)) return value.map((item, index) => fill(item, below(String(index))));
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, fill(member, below(key))]));
  };
  return fill(body, "");
}
