import type { JsonValue } from "../../../facts/canonical.ts";
import { type Form, formsOf, LONGEST_VALUE } from "../values/forms.ts";
import type { Leaf } from "../values/leaf.ts";
import { leavesOf } from "../values/leaves.ts";
import { type Piece, piecesOf, spansOf } from "../values/prose.ts";
import { type Word, wordsOf } from "../values/words.ts";
import type { Fingerprint, Fingerprinter } from "./digest.ts";
import { GRAM, winnow } from "./winnow.ts";

/** What two places may have in common. */
export interface Feature {
  readonly fingerprint: Fingerprint;
  /** How much it tells, where nothing is known of how rare it is. */
  readonly weight: number;
  readonly path: string;
  /** Of two values next to each other that are one in the other place, such as names: the path of the second. */
  readonly and?: string;
  /** Where it is within the text at `path`, in UTF-16 code units. */
  readonly start: number;
  readonly end: number;
  /** WHOLE: the value. PART: one within a text. TEXT: a piece of a longer text that says nothing by itself. */
  readonly part: "WHOLE" | "PART" | "TEXT";
}

/** A feature, with the text that it is in. */
export interface PlacedFeature extends Feature {
  /** The number of the value that it is in, from 1. */
  readonly leaf: number;
  readonly text: string;
}

/** Values that are looked at, features that are made of them, and of these those of a write's texts: of what is beyond, only the number is known. */
export const MAX_LEAVES = 100_000;
const MAX_FEATURES = 100_000;
const MAX_SPANS = 50_000;
/** Below this a value is found anywhere, and gets no fingerprint. */
const LEAST_WEIGHT = 2;
/** What one piece of a longer text tells: two that do not overlap are needed. */
const GRAM_WEIGHT = 4;
/** Characters of a normalised text from which pieces of it are compared. */
const LONG_TEXT = 60;
/** Characters that are read at a time, and those that are read again with what follows. */
const SEGMENT = 8 * 1024;
const OVERLAP = 256;
/** Fingerprints that are kept for values that repeat. */
const MAX_KEPT = 20_000;

/** How much could not be looked at. */
export interface Omitted {
  count: number;
}

/**
 * The features of what was read, or with `isWrite` of what is to be written, in which values are also looked for within texts. Counts in `omitted`
 * what is beyond the limits.
 */
export function* featuresOf(
  value: JsonValue,
  fingerprinter: Fingerprinter,
  isWrite: boolean,
  omitted: Omitted,
): Generator<PlacedFeature> {
  const kept = new Map<string, Fingerprint>();
  const distinct = new Set<Fingerprint>();
  let leaves = 0;
  let features = 0;
  let spans = 0;
  let before: Leaf | undefined;
  let numberBefore = 0;
  for (const leaf of leavesOf(value)) {
    leaves += 1;
    if (leaves > MAX_LEAVES || features >= MAX_FEATURES) {
      omitted.count += 1;
      continue;
    }
    yield* wholeOf(leaf);
    if (leaf.isName === true) {
      yield* withinText(leaf.path, String(leaf.value));
      continue;
    }
    if (before !== undefined) yield* joined(before, leaf, numberBefore);
    [before, numberBefore] = [leaf, leaves];
    if (typeof leaf.value === "string") yield* withinText(leaf.path, leaf.value);
  }

  function* told(
    forms: readonly Form[],
    place: Omit<PlacedFeature, "fingerprint" | "weight" | "leaf">,
    leaf = leaves,
  ): Generator<PlacedFeature> {
    for (const { text, weight } of forms) {
      if (weight < LEAST_WEIGHT) continue;
      const fingerprint = fingerprintOf(text);
      // Of a read each counts once; of a write each place has to be handed on.
      if (isWrite || !distinct.has(fingerprint)) features += 1;
      if (features > MAX_FEATURES) omitted.count += 1;
      else {
        if (!isWrite) distinct.add(fingerprint);
        yield { ...place, leaf, fingerprint, weight };
      }
    }
  }

  function* wholeOf({ path, value: found, isName }: Leaf): Generator<PlacedFeature> {
    const text = String(found);
    const forms = isName === true ? formsOf(found).map(asName) : formsOf(found);
    yield* told(forms, { path, text, start: 0, end: text.length, part: "WHOLE" });
  }

  /** Two words next to each other in one record, which elsewhere may be one value. */
  function* joined(one: Leaf, other: Leaf, number: number): Generator<PlacedFeature> {
    if (one.record !== other.record || !isWord(one.value) || !isWord(other.value)) return;
    const { path, value: text } = one;
    const place = { path, and: other.path, text, start: 0, end: text.length, part: "WHOLE" } as const;
    yield* told(formsOf(`${one.value} ${other.value}`), place, number);
    if (isWrite) yield* told(formsOf(`${other.value} ${one.value}`), place, number);
  }

  function* withinText(path: string, text: string): Generator<PlacedFeature> {
    if (!/\s/.test(text) && text.length <= LONGEST_VALUE) return;
    for (let at = 0; at < text.length; at += SEGMENT) {
      const segment = text.slice(at, at + SEGMENT + OVERLAP);
      for (const piece of piecesOf(segment)) yield* placed(piece, path, text, at);
      const words = [...wordsOf(segment)];
      if (isWrite && words.length > 1) {
        for (const span of spansOf(words)) {
          spans += 1;
          if (spans > MAX_SPANS) omitted.count += 1;
          else yield* placed(span, path, text, at);
        }
      }
      yield* grams(words, path, text, at);
    }
  }

  function placed({ forms, start, end }: Piece, path: string, text: string, at: number) {
    return told(forms, { path, text, start: at + start, end: at + end, part: "PART" });
  }

  /** Of the words with one space between, so that neither marks nor line ends count. */
  function* grams(words: readonly Word[], path: string, whole: string, at: number): Generator<PlacedFeature> {
    const text = words.map((word) => word.text).join(" ");
    if (text.length < LONG_TEXT) return;
    const starts = startsOf(words);
    let word = 0;
    for (const position of winnow(text)) {
      // Positions may go back by less than a window.
      while (word > 0 && (starts[word] as number) > position) word -= 1;
      while (word + 1 < words.length && (starts[word + 1] as number) <= position) word += 1;
      let last = word;
      while (last + 1 < words.length && (starts[last + 1] as number) < position + GRAM) last += 1;
      const place = {
        path,
        text: whole,
        start: at + (words[word] as Word).start,
        end: at + (words[last] as Word).end,
      } as const;
      const form = { text: `gram:${text.slice(position, position + GRAM)}`, weight: GRAM_WEIGHT };
      yield* told([form], { ...place, part: "TEXT" });
    }
  }

  function fingerprintOf(form: string): Fingerprint {
    const known = kept.get(form);
    if (known !== undefined) return known;
    const made = fingerprinter(form);
    if (kept.size < MAX_KEPT) kept.set(form, made);
    return made;
  }
}

/** Names like `Order number` are those of many reads: one alone does not link. */
const NAME_WEIGHT = 4;
function asName(form: Form): Form {
  const isTyped = !form.text.startsWith("text:") || /\d{3}/.test(form.text);
  return isTyped ? form : { ...form, weight: Math.min(form.weight, NAME_WEIGHT) };
}

function startsOf(words: readonly Word[]): Uint32Array {
  const starts = new Uint32Array(words.length);
  let at = 0;
  for (const [n, { text }] of words.entries()) {
    starts[n] = at;
    at += text.length + 1;
  }
  return starts;
}

/** Whether it may be a part of a name. */
const isWord = (value: string | number): value is string =>
  typeof value === "string" && /^\p{Lu}[\p{Ll}\p{M}'\u2019-][\p{L}\p{M}'\u2019-]{0,38}$/u.test(value);
