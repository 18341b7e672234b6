import { canonicalize, type JsonValue } from "../../../facts/canonical.ts";

/** UTF-16 code units of a line: of a longer text, an approver would not be shown all. */
const LINE = 3_900;
/** UTF-16 code units of a value of which both sides of a change are shown whole; of a longer one, what differs. */
const LONGEST = 800;
/** Of what is equal before and behind the difference of two long texts. */
const AROUND = 60;
/** A line ends behind a space, if one of its last units is one. */
const LAST_WORD = 200;
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

/** All of `names`, sorted, each as `say` has it. */
export function listOf(names: readonly string[], say: (name: string) => string = named): string {
  return names.length === 0 ? "none" : names.map(say).toSorted().join(", ");
}

/**
 * What is in one of two lists only, or more often in one, whatever their order; `say` is as for `listOf`. Undefined: both have the same.
 */
export function namesChanged(
  before: readonly string[],
  after: readonly string[],
  say: (name: string) => string = named,
): string | undefined {
  const [gone, added] = [onlyIn(before, after), onlyIn(after, before)];
  const parts = [
    ["added", added.filter((name) => !before.includes(name))],
    ["removed", gone.filter((name) => !after.includes(name))],
    ["listed more often", added.filter((name) => before.includes(name))],
    ["listed less often", gone.filter((name) => after.includes(name))],
  ] as const;
  const words = parts.filter(([, names]) => names.length > 0).map(([what, names]) => `${listOf(names, say)} ${what}`);
  return words.length === 0 ? undefined : words.join(", ");
}

/** Those of `some` that are not in `others`, or more often in `some`. */
export function onlyIn<Value extends JsonValue>(some: readonly Value[], others: readonly Value[]): readonly Value[] {
  const left = new Map<string, number>();
  for (const other of others) left.set(canonicalize(other), (left.get(canonicalize(other)) ?? 0) + 1);
  return some.filter((value) => {
    const key = canonicalize(value);
    const count = left.get(key) ?? 0;
    left.set(key, count - 1);
    return count <= 0;
  });
}

/**
 * `text` behind `mark`, in one line, or in several, each with the mark and its number: nothing that a document says begins a line. What is
 * behind the first `most` code units is counted, not shown.
 */
export function linesOf(mark: string, text: string, most: number): readonly string[] {
  const all =
    text.length <= most ? text : `${text.slice(0, beforePair(text, most))} (${text.length - most} more characters)`;
  if (mark.length + all.length <= LINE) return [`${mark}${all}`];
  // A part has room for its number.
  const room = LINE - mark.length - "(10 of 10) ".length;
  const parts: string[] = [];
  for (let at = 0; at < all.length; ) {
    const full = at + room >= all.length ? all.length : beforePair(all, at + room);
    const word = all.lastIndexOf(" ", full - 1) + 1;
    const end = full < all.length && word > full - LAST_WORD ? word : full;
    parts.push(all.slice(at, end));
    at = end;
  }
  return parts.map((part, at) => `${mark}(${at + 1} of ${parts.length}) ${part}`);
}

/** `at`, or one less where the two halves of a surrogate pair would be parted. */
function beforePair(text: string, at: number): number {
  const isPair = /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(Math.max(0, at - 1), at + 1));
  return isPair ? at - 1 : at;
}

/** `value` as JSON; a text in quotes. Undefined: there is none. */
export function shown(value: JsonValue | undefined): string {
  if (value === undefined) return "none";
  if (typeof value === "string") return quote(value);
  return canonicalize(value).replace(UNSEEN, (found) => quote(found).slice(1, -1));
}

/** How many code units at the beginning of two texts are equal. */
function equalAt(one: string, other: string): number {
  let at = 0;
  while (at < one.length && at < other.length && one[at] === other[at]) at += 1;
  return at;
}

/** The same at their end. */
function equalAtEnd(one: string, other: string): number {
  let count = 0;
  while (count < Math.min(one.length, other.length) && one.at(-1 - count) === other.at(-1 - count)) count += 1;
  return count;
}

/**
 * `"a" → "b"`. Of long values, all from the first to the last character that differs, as a quoted text, and a few characters around it; those
 * that are equal before and behind it are counted.
 */
export function fromTo(before: JsonValue | undefined, after: JsonValue | undefined): string {
  const [old, now] = [before, after].map((value) => (typeof value === "string" ? value : canonicalize(value ?? null)));
  if (
    before === undefined ||
    after === undefined ||
    old === undefined ||
    now === undefined ||
    Math.max(old.length, now.length) <= LONGEST
  ) {
    return `${shown(before)} → ${shown(after)}`;
  }
  const begin = beforePair(old, Math.max(0, equalAt(old, now) - AROUND));
  const rest = [old.slice(begin), now.slice(begin)] as const;
  const equal = Math.max(0, equalAtEnd(...rest) - AROUND);
  const end = rest[0].length - beforePair(rest[0], rest[0].length - equal);
  const [was, is] = rest.map((text) => quote(text.slice(0, text.length - end)));
  return `${was} → ${is} (equal: the first ${begin} characters and the last ${end})`;
}
