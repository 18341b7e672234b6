import { randomFillSync } from "node:crypto";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import {
  type Canonicalizable,
  CanonicalText,
  canonicalize,
  type JsonObject,
  type JsonValue,
  MAX_DEPTH,
  NotCanonicalError,
} from "./canonical.ts";

/**
 * Erasable values. The hashed body holds a salted commitment; salt and value live in `oc_audit_payload`, so that erasing
 * the value later leaves every hash as it was.
 *
 *     commit = SHA-256( "countersign/commit/v1" 0x00, 16-byte salt, RFC 8785 text of the value )
 */
const DOMAIN = utf8ToBytes("countersign/commit/v1\0");
const SALT_BYTES = 16;
const pool = new Uint8Array(SALT_BYTES * 256);
let used = pool.length;

/** Marks a value of a body that must not enter the hashed bytes. */
export class Erasable {
  /** RFC 8785 text of the value. */
  readonly text: string;

  constructor(value: Canonicalizable) {
    this.text = value instanceof CanonicalText ? value.text : canonicalize(value);
  }
}

/** A body as a domain writes it: JSON with erasable values in it. Keys whose value is undefined are left out. */
export type Unsealed = JsonValue | CanonicalText | Erasable | readonly Unsealed[] | UnsealedObject;
export interface UnsealedObject {
  readonly [key: string]: Unsealed | undefined;
}

/** What an entry is made of: the canonical body, and the canonical payload (empty when nothing in it is erasable). */
export interface Sealed {
  readonly body: string;
  readonly payload: string;
}

/** The hex commitment to `text` (the canonical text of a value) under `salt` (32 hex digits). */
export function commit(salt: string, text: string): string {
  return bytesToHex(sha256(concatBytes(DOMAIN, hexToBytes(salt), utf8ToBytes(text))));
}

/** Replaces every erasable value of `body` by a commitment and collects salts and values under their dotted paths. */
export function seal(body: UnsealedObject): Sealed {
  const values = plain<CanonicalText>();
  const sealed = replace(body, "", 0, values);
  let empty = true;
  for (const _path in values) empty = false;
  return { body: canonicalize(sealed), payload: empty ? "" : canonicalize(values) };
}

/** No prototype: a key named `__proto__` is a key like any other. */
function plain<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

function replace(
  value: Unsealed | undefined,
  path: string,
  depth: number,
  values: Record<string, CanonicalText>,
): Canonicalizable {
  if (value === null || typeof value !== "object" || value instanceof CanonicalText) return value as Canonicalizable;
  if (value instanceof Erasable) {
    if (path.split(".").length !== depth)
      throw new NotCanonicalError("no dotted path leads to an erasable value", [path]);
    const salt = nextSalt();
    values[path] = new CanonicalText(`{"salt":"${salt}","value":${value.text}}`);
    return new CanonicalText(`{"commit":"${commit(salt, value.text)}"}`);
  }
  if (depth >= MAX_DEPTH) throw new NotCanonicalError(`nesting deeper than ${MAX_DEPTH}`);
  if (Array.isArray(value)) {
    return value.map((item, index) =>
      replace(item, depth === 0 ? String(index) : `${path}.${index}`, depth + 1, values),
    );
  }
  const copy = plain<Canonicalizable>();
  for (const [key, member] of Object.entries(value as UnsealedObject)) {
    if (member === undefined) continue;
    copy[key] = replace(member, depth === 0 ? key : `${path}.${key}`, depth + 1, values);
  }
  return copy;
}

function nextSalt(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += SALT_BYTES;
  return bytesToHex(pool.subarray(used - SALT_BYTES, used));
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

function put(target: JsonValue | undefined, [key, ...rest]: readonly string[], value: JsonValue): void {
  if (key === undefined || !isContainer(target) || !Object.hasOwn(target, key)) return;
  if (rest.length > 0) put(target[key], rest, value);
  // Nothing but a commitment gives way: what stands in the body itself cannot be talked over by a payload.
  else if (isCommitment(target[key])) target[key] = value;
}

function isContainer(value: JsonValue | undefined): value is { [key: string]: JsonValue | undefined } {
  return typeof value === "object" && value !== null;
}

function isCommitment(value: JsonValue | undefined): boolean {
  return isContainer(value) && typeof value.commit === "string" && Object.keys(value).length === 1;
}
