import { hasEscapedName, readAgain } from "../facts/parse-json.ts";
import { survivesAsDouble } from "../graphql/base/exact-number.ts";

/**
 * JSON (RFC 8259) of which nothing can be read in two ways. On top of what JSON.parse refuses:
 *
 * - two members of one object with the same name, however spelled (RFC 7493, section 2.3)
 * - numbers that are no longer the same after a round trip through an IEEE 754 double (RFC 7493, section 2.2), and -0,
 *   which RFC 8785 writes as 0
 * - lone surrogates (RFC 7493, section 2.1) and U+0000, which PostgreSQL's text cannot hold
 * - nesting deeper than MAX_NESTING
 *
 * `__proto__` and `constructor` are names like any other: JSON.parse makes own properties of them.
 */
export const MAX_NESTING = 64;

/** `message` has the fault and its place: counted in characters from 0, and for a number the names of the members that lead to it. */
export class StrictJsonError extends Error {
  override readonly name = "StrictJsonError";
}

/** The value of `text`. Throws StrictJsonError. */
export function parseStrictJson(text: string): unknown {
  const value = parse(text);
  // What follows relies on the text being JSON.
  inspect(text);
  return hasEscapedName(text) ? readAgain(text) : value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // V8 quotes the text it choked on, which may be a person's; the position alone is enough.
    const at = /position (\d+)/.exec(error.message)?.[1];
    throw new StrictJsonError(at === undefined ? "malformed JSON" : `malformed JSON at character ${at}`);
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

/** An object or array that is not closed yet. */
interface Open {
  /** The names seen in an object; null for an array. */
  readonly names: Set<string> | null;
  /** The name or index of the member being read. */
  at: string | number;
}

function inspect(text: string): void {
  if (!text.isWellFormed()) throw new StrictJsonError("a lone surrogate has no UTF-8 form");
  const open: Open[] = [];
  let name = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const within = open.at(-1);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      const content = decode(text, at, end);
      if (name && within?.names) {
        addName(within.names, content, at);
        within.at = content;
      }
      name = false;
      at = end;
    } else if (code === MINUS || (code >= DIGIT_0 && code <= DIGIT_9)) {
      const end = endOfNumber(text, at);
      if (!survivesAsDouble(text.slice(at, end))) {
        const place = `character ${at}${pathOf(open)}`;
        throw new StrictJsonError(`the number at ${place} would change its value: send it as a string`);
      }
      at = end - 1;
    } else if (code === 0x7b /* { */ || code === 0x5b /* [ */) {
      if (open.length === MAX_NESTING)
        throw new StrictJsonError(`nesting deeper than ${MAX_NESTING} at character ${at}`);
      name = code === 0x7b;
      open.push({ names: name ? new Set() : null, at: 0 });
    } else if (code === 0x7d /* } */ || code === 0x5d /* ] */) {
      open.pop();
      name = false;
    } else if (code === 0x2c /* , */ && within !== undefined) {
      name = within.names !== null;
      if (typeof within.at === "number") within.at += 1;
    }
  }
}

/** Longer paths say nothing that the position does not. */
const MAX_PATH = 200;

/** The members that lead to the value being read, in parentheses; empty where there are none, or too many. */
function pathOf(open: readonly Open[]): string {
  const path = open.map(({ at }) => at).join(".");
  return path === "" || path.length > MAX_PATH ? "" : ` (${path})`;
}

function addName(names: Set<string>, name: string, at: number): void {
  if (names.has(name)) throw new StrictJsonError(`a second member of the same name at character ${at}`);
  names.add(name);
}

/** Where the string that begins at `start` ends: the position of its closing quote. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(at)) at += code === BACKSLASH ? 2 : 1;
  return at;
}

function endOfNumber(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && /[0-9.eE+-]/.test(text[at]!)) at++;
  return at;
}

function decode(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end);
  if (!raw.includes("\\u")) return raw.includes("\\") ? (JSON.parse(text.slice(start, end + 1)) as string) : raw;
  const decoded = JSON.parse(text.slice(start, end + 1)) as string;
  if (!decoded.isWellFormed()) throw new StrictJsonError(`a lone surrogate in the string at character ${start}`);
  if (decoded.includes("\0")) throw new StrictJsonError(`U+0000 in the string at character ${start}`);
  return decoded;
}
