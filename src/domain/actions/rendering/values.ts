import { canonicalize, type JsonObject, type JsonValue } from "../../../facts/canonical.ts";
import { hashText } from "../../../facts/hash.ts";
import { type Piece, type Prefixes, wrapped } from "./lines.ts";
import { markedUp } from "./notation.ts";

/** Code points of a text that is shown whole. Of a longer one, the first and the last are shown. */
export const MAX_SHOWN = 4_000;
const FIRST_SHOWN = 3_000;
const LAST_SHOWN = 500;
/** Characters of lines after which no further member of a list or an object is shown. */
const MAX_LINES = 200_000;
/** Levels of nesting that are indented. Brackets say how deep a member is; indenting more would leave no room. */
const MAX_INDENTED = 11;

/** How lines of values begin. Nothing else does: values are shown behind it only, whatever they hold. */
export const VALUE_LINES: Prefixes = { first: "  | ", next: "  + " };

/**
 * `value` as JSON (RFC 8259), one member a line. Long texts, and what comes late in very much of it, are shortened; the marks
 * there say by how much, and the hash of the whole.
 */
export function valueLines(value: JsonValue): readonly string[] {
  const lines: string[] = [];
  let length = 0;

  function add(depth: number, pieces: readonly Piece[]): void {
    const indent = " ".repeat(2 * Math.min(depth, MAX_INDENTED));
    const { first, next } = VALUE_LINES;
    for (const line of wrapped(pieces, { first: first + indent, next: next + indent })) {
      lines.push(line);
      length += line.length;
    }
  }

  /** `before` is the name of the member, `after` the comma behind it. */
  function addValue(depth: number, before: readonly Piece[], one: JsonValue, after: readonly Piece[]): void {
    const leaf = leafOf(one);
    if (leaf !== undefined) {
      add(depth, [...before, ...leaf, ...after]);
      return;
    }
    const members = membersOf(one as JsonObject | readonly JsonValue[]);
    const [open, close] = Array.isArray(one) ? ["[", "]"] : ["{", "}"];
    add(depth, [...before, mark(open)]);
    for (const [at, [name, member]] of members.entries()) {
      if (length > MAX_LINES) {
        add(depth + 1, restOf(one, members.length - at, members.length));
        break;
      }
      const named = name === undefined ? [] : [...quoted(name), mark(": ")];
      addValue(depth + 1, named, member, at === members.length - 1 ? [] : [mark(",")]);
    }
    add(depth, [mark(close), ...after]);
  }

  addValue(0, [], value, []);
  return lines;
}

/** Lines of free text, which are shown as such. */
export function textLines(text: string): readonly string[] {
  const { first, omitted, last } = shortened(text);
  const shown = (part: string) => part.split("\n").flatMap((line) => wrapped(markedUp(line), VALUE_LINES));
  if (omitted === undefined) return shown(first);
  return [...shown(first), ...wrapped(omitted, VALUE_LINES), ...shown(last)];
}

/** `text` as a JSON string. */
export function quoted(text: string): readonly Piece[] {
  const { first, omitted, last } = shortened(text);
  const inside = (part: string) => markedUp(JSON.stringify(part).slice(1, -1));
  const middle = omitted === undefined ? [] : [...omitted, ...inside(last)];
  return [mark('"'), ...inside(first), ...middle, mark('"')];
}

function mark(text: string): Piece {
  return { text, splits: false };
}

/** What is shown on one line: a value without members. */
function leafOf(value: JsonValue): readonly Piece[] | undefined {
  if (typeof value === "string") return quoted(value);
  const hasMembers = typeof value === "object" && value !== null && Object.keys(value).length > 0;
  return hasMembers ? undefined : [mark(JSON.stringify(value))];
}

type Member = readonly [name: string | undefined, value: JsonValue];

function membersOf(value: readonly JsonValue[] | JsonObject): readonly Member[] {
  if (Array.isArray(value)) return value.map((member: JsonValue): Member => [undefined, member]);
  return Object.entries(value).map(([name, member]): Member => [name, member as JsonValue]);
}

interface Shortened {
  readonly first: string;
  /** Says what is not shown; undefined: nothing. */
  readonly omitted?: readonly Piece[];
  readonly last: string;
}

function shortened(text: string): Shortened {
  // A code point has at most two units.
  if (text.length <= MAX_SHOWN) return { first: text, last: "" };
  const characters = Array.from(text);
  if (characters.length <= MAX_SHOWN) return { first: text, last: "" };
  const missing = characters.length - FIRST_SHOWN - LAST_SHOWN;
  return {
    first: characters.slice(0, FIRST_SHOWN).join(""),
    omitted: [
      mark(`⟨${missing} of ${characters.length} characters are not shown; all have⟩`),
      mark(`⟨${hashText(text)}⟩`),
    ],
    last: characters.slice(-LAST_SHOWN).join(""),
  };
}

function restOf(value: JsonValue, missing: number, all: number): readonly Piece[] {
  const text = canonicalize(value);
  return [
    mark(`⟨${missing} of ${all} members are not shown; all ${text.length} characters have⟩`),
    mark(`⟨${hashText(text)}⟩`),
  ];
}
