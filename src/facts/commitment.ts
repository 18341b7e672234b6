import { hash, randomFillSync } from "node:crypto";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import {
  type Canonicalizable,
  CanonicalText,
  canonicalize,
  canonicalizeExtended,
  type JsonObject,
  type JsonValue,
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

const encoder = new TextEncoder();
/** Domain, salt and text are put together here, so that sealing allocates nothing for it. */
let scratch = new Uint8Array(64 * 1024);
scratch.set(DOMAIN);

/** `commit` for the path every append takes: OpenSSL's SHA-256 takes a quarter of the time. */
function commitQuickly(salt: Uint8Array, text: string): string {
  const begin = DOMAIN.length + SALT_BYTES;
  // A UTF-16 code unit takes three bytes of UTF-8 at most.
  if (begin + text.length * 3 > scratch.length) {
    scratch = new Uint8Array(begin + text.length * 3);
    scratch.set(DOMAIN);
  }
  scratch.set(salt, DOMAIN.length);
  const { written } = encoder.encodeInto(text, scratch.subarray(begin));
  return hash("sha256", scratch.subarray(0, begin + written), "hex");
}

/** Replaces every erasable value of `body` by a commitment and collects salts and values under their dotted paths. */
export function seal(body: UnsealedObject): Sealed {
  const values: [path: string, stored: string][] = [];
  const write = (value: object, path: readonly string[]) => {
    if (!(value instanceof Erasable)) return undefined;
    if (path.some((key) => key.includes("."))) {
      throw new NotCanonicalError("an erasable value below a key with a dot in it cannot be found again");
    }
    const salt = nextSalt();
    values.push([path.join("."), `{"salt":"${bytesToHex(salt)}","value":${value.text}}`]);
    return `{"commit":"${commitQuickly(salt, value.text)}"}`;
  };
  const text = canonicalizeExtended(body, { write, integersOnly: true });
  return { body: text, payload: payloadText(values) };
}

function payloadText(values: [path: string, stored: string][]): string {
  if (values.length === 0) return "";
  values.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${values.map(([path, stored]) => `${JSON.stringify(path)}:${stored}`).join(",")}}`;
}

/** Random bytes are drawn for many salts at once. Good until the next call. */
function nextSalt(): Uint8Array {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += SALT_BYTES;
  return pool.subarray(used - SALT_BYTES, used);
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
