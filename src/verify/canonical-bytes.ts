import { MAX_DEPTH } from "../facts/canonical.ts";

/**
 * Whether the UTF-8 bytes of a JSON text are certainly in RFC 8785 form, found in one pass over the bytes. False also when
 * that is uncertain (fractions, large numbers): then the caller has to write the canonical text and compare. The bytes must
 * be JSON.
 */
export function isSurelyCanonical(bytes: Uint8Array): boolean {
  let depth = 0;
  let atKey = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    switch (byte) {
      case QUOTE: {
        const end = endOfPlainString(bytes, at);
        if (end < 0) return false;
        if (atKey) {
          if (!comesAfter(bytes, keyBegin[depth]!, keyEnd[depth]!, at + 1, end)) return false;
          keyBegin[depth] = at + 1;
          keyEnd[depth] = end;
          atKey = false;
        }
        at = end;
        break;
      }
      case COMMA:
        atKey = isObject[depth] === 1;
        break;
      case COLON:
        break;
      case BEGIN_OBJECT:
      case BEGIN_LIST:
        depth++;
        if (depth > MAX_DEPTH) return false;
        atKey = byte === BEGIN_OBJECT;
        isObject[depth] = atKey ? 1 : 0;
        keyEnd[depth] = NO_KEY;
        break;
      case END_OBJECT:
      case END_LIST:
        depth--;
        atKey = false;
        break;
      default: {
        const end = endOfPlainToken(bytes, at);
        if (end < 0) return false;
        at = end - 1;
      }
    }
  }
  return true;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const [ZERO, NINE] = [0x30, 0x39];
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const [BEGIN_LIST, END_LIST] = [0x5b, 0x5d];
const [BEGIN_OBJECT, END_OBJECT] = [0x7b, 0x7d];
/** Of true, false and null. */
const [A, Z] = [0x61, 0x7a];
/** What may follow a backslash in canonical text, but for escapes by number. */
const ESCAPED = new Set(Array.from('"\\bfnrt', (character) => character.charCodeAt(0)));

/** The position of the last key of the object at each depth. */
const keyBegin = new Int32Array(MAX_DEPTH + 1);
const keyEnd = new Int32Array(MAX_DEPTH + 1);
const isObject = new Uint8Array(MAX_DEPTH + 1);
const NO_KEY = -1;

/** The closing quote of the string that begins at `at`; -1 when it has an escape that is not surely canonical. */
function endOfPlainString(bytes: Uint8Array, at: number): number {
  let next = at + 1;
  for (let byte = bytes[next]!; byte !== QUOTE; byte = bytes[++next]!) {
    if (byte === BACKSLASH) {
      next++;
      if (!ESCAPED.has(bytes[next]!)) return -1;
    }
  }
  return next;
}

/** The position behind a number or word at `at`; -1 when it is none, or a number that may have another canonical form. */
function endOfPlainToken(bytes: Uint8Array, at: number): number {
  let next = at;
  if (bytes[at]! >= A && bytes[at]! <= Z) {
    while (bytes[next]! >= A && bytes[next]! <= Z) next++;
    return next;
  }
  if (bytes[next] === MINUS) {
    next++;
    if (bytes[next] === ZERO) return -1;
  }
  const digits = next;
  while (bytes[next]! >= ZERO && bytes[next]! <= NINE) next++;
  const length = next - digits;
  // The largest that is allowed has 16 digits.
  return length > 0 && length < 16 && isBoundary(bytes[next]) ? next : -1;
}

function isBoundary(byte: number | undefined): boolean {
  return byte === undefined || byte === COMMA || byte === END_OBJECT || byte === END_LIST;
}

/** Whether a key surely comes after the one before it. */
function comesAfter(bytes: Uint8Array, begin: number, end: number, next: number, nextEnd: number): boolean {
  if (end === NO_KEY) return true;
  for (let at = 0; ; at++) {
    if (begin + at === end) return next + at < nextEnd;
    if (next + at === nextEnd) return false;
    const [before, after] = [bytes[begin + at]!, bytes[next + at]!];
    // An escaped character is not ordered like its escape sequence.
    if (before === BACKSLASH || after === BACKSLASH) return false;
    if (before === after) continue;
    // Keys go by UTF-16 code units, which bytes from U+E000 on do not.
    return before < after && after < 0xee;
  }
}
