import { hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { canonicalize, type JsonObject, type JsonValue, NotCanonicalError } from "./canonical.ts";
import { isHex32, isHex64 } from "./hex.ts";
import { sha256Of } from "./sha256.ts";

/**
 * Erasable values. The hashed body holds a salted commitment; salt and value live in `oc_audit_payload`, so that erasing
 * the value later leaves every hash as it was.
 *
 *     commit = SHA-256( "countersign/commit/v1" 0x00, 16-byte salt, RFC 8785 text of the value )
 *
 * A payload is not hashed itself, so nothing here returns a value that is not the one its commitment was made of.
 */
const DOMAIN = utf8ToBytes("countersign/commit/v1\0");
const SALT_BYTES = 16;

const encoder = new TextEncoder();
const TEXT_AT = DOMAIN.length + SALT_BYTES;
/** What is hashed is put together here, so that hashing allocates nothing for it. */
let scratch = new Uint8Array(64 * 1024);
scratch.set(DOMAIN);

/** The hex commitment to `text` (the canonical text of a value) under the 16 bytes of `salt`. */
export function commitTo(salt: Uint8Array, text: string): string {
  // A UTF-16 code unit takes three bytes of UTF-8 at most.
  if (TEXT_AT + text.length * 3 > scratch.length) {
    scratch = new Uint8Array(TEXT_AT + text.length * 3);
    scratch.set(DOMAIN);
  }
  scratch.set(salt, DOMAIN.length);
  const { written } = encoder.encodeInto(text, scratch.subarray(TEXT_AT));
  return sha256Of(scratch.subarray(0, TEXT_AT + written));
}

/** The same for a salt of 32 hex digits. */
export function commit(salt: string, text: string): string {
  return commitTo(hexToBytes(salt), text);
}

/** One erasable value as stored. */
export interface StoredValue {
  readonly salt: string;
  readonly value: JsonValue;
}
/** Whatever the row of the database holds: it is compared with the body when a value is read. */
export type Payload = { readonly [path: string]: StoredValue };

/** ALTERED: the stored value is not the one that was committed to. MISSING: no value is stored. */
export type WithheldBecause = "ALTERED" | "MISSING";

/** What is read in place of a value that cannot be shown. */
export class Withheld {
  readonly commit: string;
  readonly problem: WithheldBecause;

  constructor(commit: string, problem: WithheldBecause) {
    this.commit = commit;
    this.problem = problem;
  }

  /** `{"commit":"<64 hex digits>","problem":"ALTERED"}`: what JSON has in place of the value. */
  toJson(): JsonObject {
    const { commit, problem } = this;
    return { commit, problem };
  }
}

interface Recorded {
  readonly body: JsonObject;
  readonly payload: Payload | undefined;
}

/** The value at a dotted path of a body; undefined where the body has no commitment. */
export function valueAt({ body, payload }: Recorded, path: string): JsonValue | Withheld | undefined {
  let member: unknown = body;
  for (const key of path.split(".")) {
    if (!isContainer(member) || !Object.hasOwn(member, key)) return undefined;
    member = member[key];
  }
  return isCommitment(member) ? opened(member.commit, path, payload) : undefined;
}

/** The values of an entry that cannot be shown, by path. */
export function withheldValues({ body, payload }: Recorded): ReadonlyMap<string, WithheldBecause> {
  const found = new Map<string, WithheldBecause>();
  fill(body, undefined, (commit, path) => {
    const value = opened(commit, path, payload);
    if (value instanceof Withheld) found.set(path, value.problem);
    return undefined;
  });
  return found;
}

/**
 * `body` with the values of `payload` in place of their commitments. Where a value cannot be shown, `problem` stands beside
 * the commitment. Shares what it does not replace.
 */
export function unseal(body: JsonObject, payload: Payload | undefined): JsonObject {
  return fill(body, undefined, shownOf(payload)) as JsonObject;
}

function shownOf(payload: Payload | undefined) {
  return (commit: string, path: string): JsonValue => {
    const value = opened(commit, path, payload);
    return value instanceof Withheld ? value.toJson() : value;
  };
}

/** A member of a body with its values in place: what `unseal` has there, without the cost of the others. */
export function unsealMember({ body, payload }: Recorded, name: string): JsonValue | undefined {
  return fill(body[name], name, shownOf(payload)) as JsonValue | undefined;
}

/** The same for readers that need no commitments: undefined stands for a value that cannot be shown. */
export function unsealed(body: JsonObject, payload: Payload | undefined): unknown {
  return fill(body, undefined, (commit, path) => {
    const value = opened(commit, path, payload);
    return value instanceof Withheld ? undefined : value;
  });
}

/** `value` with every commitment replaced; a part without one is returned as it is. */
function fill(value: unknown, path: string | undefined, replace: (commit: string, path: string) => unknown): unknown {
  if (!isContainer(value)) return value;
  if (isCommitment(value)) return replace(value.commit, path ?? "");
  const below = (key: string) => (path === undefined ? key : `${path}.${key}`);
  let changed = false;
  const filled = Object.entries(value).map(([key, member]): [string, unknown] => {
    const put = isContainer(member) ? fill(member, below(key), replace) : member;
    changed ||= put !== member;
    return [key, put];
  });
  if (!changed) return value;
  return Array.isArray(value) ? filled.map(([, member]) => member) : Object.fromEntries(filled);
}

/** Stored values that were found to be those of a commitment: entries are kept, and read by several fields. */
const known = new WeakMap<StoredValue, string>();

function opened(commitment: string, path: string, payload: Payload | undefined): JsonValue | Withheld {
  const stored = isContainer(payload) && Object.hasOwn(payload, path) ? payload[path] : undefined;
  if (!isContainer(stored)) return new Withheld(commitment, stored === undefined ? "MISSING" : "ALTERED");
  if (known.get(stored) !== commitment) {
    if (commitmentOf(stored) !== commitment) return new Withheld(commitment, "ALTERED");
    known.set(stored, commitment);
  }
  return stored.value;
}

/** What a stored value is committed to by; undefined for what is no salt with a value. */
function commitmentOf({ salt, value }: Partial<StoredValue>): string | undefined {
  if (typeof salt !== "string" || !isHex32(salt) || value === undefined) return undefined;
  try {
    return commit(salt, canonicalize(value));
  } catch (error) {
    if (error instanceof NotCanonicalError) return undefined;
    throw error;
  }
}

function isContainer(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null;
}

function isCommitment(value: unknown): value is { readonly commit: string } {
  if (!isContainer(value) || typeof value.commit !== "string") return false;
  return isHex64(value.commit) && Object.keys(value).length === 1;
}
