import { canonicalize, type JsonValue } from "../../../facts/canonical.ts";

/** UTF-16 code units of a line: of a longer one, an approver's text would not show all. */
const LINE = 3_900;
/** UTF-16 code units of one value in a line. */
const LONGEST = 800;
/** Names in a list. */
const MOST_NAMES = 15;
/** Of what is equal before and behind the difference of two long texts. */
const AROUND = 60;
/** What can stand in a line without quotes and be taken for nothing else. */
const PLAIN = /^[A-Za-z0-9_][A-Za-z0-9_.:@/-]*$/;
/** Characters that nobody sees or that reorder their neighbours, and blanks but the plain space. */
const UNSEEN = /[\p{C}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Z}/gu;

/** `text` as a JSON string in which every character can be seen. */
export function quote(text: string): string {
  return JSON.stringify(text).replace(UNSEEN, (character) =>
    Array.from({ length: character.length }, (_, at) => {
      return `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
    }).join(""),
  );
}

/** A name as it is written: in quotes, unless it is a plain word. */
export function named(name: string): string {
  return PLAIN.test(name) ? name : quote(name);
}

export function listOf(names: readonly string[]): string {
  const some = names.map(named).toSorted().slice(0, MOST_NAMES);
  const rest = names.length - some.length;
  return names.length === 0 ? "none" : `${some.join(", ")}${rest === 0 ? "" : ` and ${rest} more`}`;
}

/** `line`, or what there is room for. */
export function cut(line: string): string {
  if (line.length <= LINE) return line;
  return `${line.slice(0, LINE - 100).toWellFormed()} (${line.length - LINE + 100} more characters)`;
}

/** A text that is too long, by its beginning and its end. */
function shortened(text: string): string {
  if (text.length <= LONGEST) return quote(text);
  const half = LONGEST / 2;
  const first = text.slice(0, half).toWellFormed();
  const last = text.slice(-half).toWellFormed();
  return `${quote(first)} (${text.length - LONGEST} more characters) ${quote(last)}`;
}

/** `value` as JSON; a text in quotes. Undefined: there is none. */
export function shown(value: JsonValue | undefined): string {
  if (value === undefined) return "none";
  if (typeof value === "string") return shortened(value);
  const text = canonicalize(value);
  return text.length <= LONGEST ? text.replace(UNSEEN, (found) => quote(found).slice(1, -1)) : shortened(text);
}

/** Of two texts, how many code units at the beginning are equal, without the half of a pair. */
function equalAt(one: string, other: string): number {
  let at = 0;
  while (at < one.length && at < other.length && one[at] === other[at]) at += 1;
  return at;
}

/**
 * `"a" → "b"`. Of texts that are too long, the part that differs, so that nothing can be hidden in the middle of a long text: what is equal before
 * and behind it is counted.
 */
export function fromTo(before: JsonValue | undefined, after: JsonValue | undefined): string {
  if (typeof before !== "string" || typeof after !== "string" || Math.max(before.length, after.length) <= LONGEST) {
    return `${shown(before)} → ${shown(after)}`;
  }
  const reversed = (text: string) => text.split("").reverse().join("");
  const begin = Math.max(0, equalAt(before, after) - AROUND);
  const rest = [before.slice(begin), after.slice(begin)] as const;
  const end = Math.max(0, equalAt(reversed(rest[0]), reversed(rest[1])) - AROUND);
  const [was, is] = rest.map((text) => shortened(text.slice(0, text.length - end).toWellFormed()));
  return `${was} → ${is} (equal: the first ${begin} characters and the last ${end})`;
}
