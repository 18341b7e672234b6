import type { JsonObject } from "../facts/canonical.ts";
import { isHex64 } from "../facts/hex.ts";
import { createIntern } from "./intern.ts";
import type { Sha256 } from "./rows.ts";

/**
 * The erasable values of an entry against the commitments in its body, without reading them as JSON: what hashes to its
 * commitment is, byte for byte, what was committed to.
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const [BEGIN_LIST, END_LIST] = [0x5b, 0x5d];
const [BEGIN_OBJECT, END_OBJECT] = [0x7b, 0x7d];

const encoder = new TextEncoder();
const intern = createIntern();
const DOMAIN = encoder.encode("countersign/commit/v1\0");
const SALT_BYTES = 16;
/** An item is `{"salt":"<32 hex digits>","value":<value>}`. */
const BEFORE_SALT = encoder.encode('{"salt":"');
const BEFORE_VALUE = encoder.encode('","value":');
const SALT_AT = BEFORE_SALT.length;
const VALUE_AT = SALT_AT + 2 * SALT_BYTES + BEFORE_VALUE.length;

/** What is hashed is put together here. */
let scratch = new Uint8Array(16 * 1024);
scratch.set(DOMAIN);

export interface PayloadFindings {
  /** Called for each value that the body did not commit to there. */
  readonly complain: (detail: string) => void;
  /** Called with the path of a commitment that has a key with a dot on its way: it could stand elsewhere as well. */
  readonly ambiguous: (path: string) => void;
  /** Called with the path of each commitment that has no value, if there are any. */
  readonly missing: (paths: readonly string[]) => void;
}

/** Compares a payload, null when there is no row, with the commitments of `body`, which `text` is the canonical text of. */
export function checkPayload(
  payload: Uint8Array | null,
  body: JsonObject,
  text: string,
  sha256: Sha256,
  { complain, ambiguous, missing }: PayloadFindings,
): void {
  const found: string[] = [];
  let [inOrder, haveForm] = [true, true];
  const isRead =
    payload === null ||
    forEachItem(payload, (path, begin, end) => {
      const promised = commitmentAt(body, path);
      if (promised === undefined) {
        complain(`the payload has a value at ${path} that the entry never committed to`);
        return;
      }
      const committed = commitmentTo(payload, begin, end, sha256);
      if (committed === undefined) haveForm = false;
      if (committed !== promised) {
        complain(`the payload value at ${path} is not the one the entry committed to`);
      }
      const before = found.at(-1);
      if (before !== undefined && before >= path) inOrder = false;
      found.push(path);
    });
  // Of one that is of another form nothing is read.
  if (!isRead || !inOrder) complain("the payload is not of the form that payloads have");
  // A path that is there twice stands for no other one.
  if (inOrder && countCommitments(text) === found.length) return;
  const ways = commitmentWays(body);
  const dotted = ways.find((way) => way.some((key) => key.includes(".")));
  if (dotted !== undefined) ambiguous(dotted.join("."));
  if (!isRead || !inOrder || !haveForm) return;
  const there = new Set(found);
  const absent = ways.map((way) => way.join(".")).filter((path) => !there.has(path));
  if (absent.length > 0) missing(absent);
}

const COMMITMENT = '{"commit":"';
const COMMITMENT_LENGTH = COMMITMENT.length + 64 + '"}'.length;

/**
 * How many commitments a canonical text has, or more: what only looks like one is told apart by the body. Quotes within strings
 * are escaped, so no string looks like one.
 */
function countCommitments(text: string): number {
  let count = 0;
  for (let at = text.indexOf(COMMITMENT); at >= 0; at = text.indexOf(COMMITMENT, at + COMMITMENT.length)) {
    if (text.startsWith('"}', at + COMMITMENT_LENGTH - 2)) count++;
  }
  return count;
}

/** The keys that lead to each commitment in a value. */
function commitmentWays(value: unknown, way: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [];
  if (way.length > 0 && isCommitment(value)) return [way];
  return Object.entries(value).flatMap(([key, member]) => commitmentWays(member, [...way, key]));
}

/** Calls `onItem` with the path, begin and end of each item; false when the payload is no object without white space. */
function forEachItem(payload: Uint8Array, onItem: (path: string, begin: number, end: number) => void): boolean {
  if (payload[0] !== BEGIN_OBJECT || payload.at(-1) !== END_OBJECT) return false;
  if (payload.length === 2) return true;
  for (let at = 1; ; at++) {
    const colon = payload[at] === QUOTE ? endOfString(payload, at) : at;
    const path = readPath(payload, at + 1, colon - 1);
    if (path === undefined || payload[colon] !== COLON) return false;
    const begin = colon + 1;
    const end = endOfValue(payload, begin);
    if (end === begin) return false;
    onItem(path, begin, end);
    if (payload[end] !== COMMA) return payload[end] === END_OBJECT && end === payload.length - 1;
    at = end;
  }
}

/** The text of a string between its quotes; undefined when it is none. */
function readPath(bytes: Uint8Array, begin: number, end: number): string | undefined {
  if (end < begin) return undefined;
  const text = intern(bytes, begin, end);
  if (!text.includes("\\")) return text;
  try {
    return String(JSON.parse(`"${text}"`));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The position behind the string that begins at `at`. */
function endOfString(bytes: Uint8Array, at: number): number {
  for (let next = at + 1; next < bytes.length; next++) {
    const byte = bytes[next];
    if (byte === QUOTE) return next + 1;
    if (byte === BACKSLASH) next++;
  }
  return bytes.length;
}

/** The position behind the value that begins at `at`, by its brackets and quotes alone. */
function endOfValue(bytes: Uint8Array, at: number): number {
  let depth = 0;
  for (let next = at; next < bytes.length; next++) {
    const byte = bytes[next];
    if (byte === QUOTE) next = endOfString(bytes, next) - 1;
    else if (byte === BEGIN_OBJECT || byte === BEGIN_LIST) depth++;
    else if (byte === END_OBJECT || byte === END_LIST) {
      if (depth === 0) return next;
      depth--;
      if (depth === 0) return next + 1;
    } else if (byte === COMMA && depth === 0) return next;
  }
  return bytes.length;
}

/** The commitment to the value of the item at `begin`; undefined when it is not of the form that items have. */
function commitmentTo(bytes: Uint8Array, begin: number, end: number, sha256: Sha256): string | undefined {
  const value = begin + VALUE_AT;
  const fits = startsWith(bytes, begin, BEFORE_SALT) && startsWith(bytes, value - BEFORE_VALUE.length, BEFORE_VALUE);
  if (!fits || value >= end - 1 || bytes[end - 1] !== END_OBJECT) return undefined;
  const length = DOMAIN.length + SALT_BYTES + (end - 1 - value);
  if (length > scratch.length) {
    scratch = new Uint8Array(length * 2);
    scratch.set(DOMAIN);
  }
  for (let index = 0; index < SALT_BYTES; index++) {
    const byte = (digit(bytes[begin + SALT_AT + 2 * index]) << 4) | digit(bytes[begin + SALT_AT + 2 * index + 1]);
    if (byte < 0) return undefined;
    scratch[DOMAIN.length + index] = byte;
  }
  for (let to = DOMAIN.length + SALT_BYTES, at = value; to < length; to++, at++) scratch[to] = bytes[at]!;
  return sha256(scratch.subarray(0, length));
}

function startsWith(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let index = 0; index < expected.length; index++) if (bytes[at + index] !== expected[index]) return false;
  return true;
}

/** The value of a lowercase hex digit; -1 when it is none. */
function digit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  return byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : -1;
}

/** The commitment that a body has at a dotted path. */
function commitmentAt(body: JsonObject, path: string): string | undefined {
  let holder: unknown = body;
  let begin = 0;
  for (let dot = path.indexOf("."); dot >= 0; dot = path.indexOf(".", begin)) {
    holder = ownMember(holder, path.slice(begin, dot));
    begin = dot + 1;
  }
  const value = ownMember(holder, begin === 0 ? path : path.slice(begin));
  return isCommitment(value) ? value.commit : undefined;
}

function isCommitment(value: unknown): value is { readonly commit: string } {
  const commit = ownMember(value, "commit");
  return typeof commit === "string" && isHex64(commit) && Object.keys(value as object).length === 1;
}

function ownMember(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as { readonly [name: string]: unknown })[name];
}
