import { type Form, formOf, formsOf, longer, type TextSoFar, textForm, typedForms } from "./forms.ts";
import type { Word } from "./words.ts";

/** A value within a text: its forms, and where it is. */
export interface Piece {
  readonly forms: readonly Form[];
  readonly start: number;
  readonly end: number;
}

/** Runs of what values consist of. Each class is bounded and followed by what it does not contain, so that none is tried twice. */
const EMAILS = /(?<![\p{L}\p{N}._%+'-])[\p{L}\p{N}._%+'-]{1,64}@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){1,8}/gu;
const NUMBERS = /(?<![\p{L}\p{N}])[-+(\p{Sc}]{0,3}\d[\d.,:/()\-\u00a0\u202f\u2010-\u2013 ]{0,38}\d(?![\p{L}\p{N}])/gu;
const NAMED_DATES =
  /(?<![\p{L}\p{N}])(?:\d{1,2}(?:st|nd|rd|th|\.)?[ -](?:de )?\p{L}{3,12}\.?,?[ -](?:de )?\d{4}|\p{L}{3,12}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4})(?![\p{L}\p{N}])/gu;
/** Identifiers: letters and digits, with marks between. */
const IDENTIFIERS =
  /(?<![\p{L}\p{N}_-])(?=[\p{L}_-]{0,40}\d)[\p{L}\p{N}]{1,60}(?:[_\-:/#.][\p{L}\p{N}]{1,60}){0,8}(?![\p{L}\p{N}_-])/gu;
/** Account numbers in groups of four (ISO 13616). */
const GROUPED = /(?<![\p{L}\p{N}])[A-Z]{2}\d{2}(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?(?![\p{L}\p{N}])/gu;
/** Names: words with a capital letter that follow each other. */
const NAMES =
  /(?<![\p{L}\p{N}])\p{Lu}[\p{L}\p{M}'\u2019-]{1,30}(?: (?:(?:de|der|den|di|da|la|le|van|von|bin|al) ){0,2}\p{Lu}[\p{L}\p{M}'\u2019-]{1,30}){1,4}/gu;
const QUOTED = /["\u201c\u201e\u00ab](?<inside>[^"\u201c\u201d\u201e\u00ab\u00bb\n]{3,120})["\u201d\u00bb]/gu;

/** What stands within prose and can be told by how it is written: addresses, numbers, dates, identifiers, names, what is quoted. */
export function* piecesOf(text: string): Generator<Piece> {
  if (text.includes("@")) yield* found(EMAILS, text, formsOf);
  if (/\d/.test(text)) {
    yield* found(NAMED_DATES, text, typedForms);
    for (const piece of found(NUMBERS, text, typedForms)) {
      yield piece;
      // A number at the end of a sentence, or two that a space parts.
      const raw = text.slice(piece.start, piece.end);
      if (!/ /.test(raw)) continue;
      for (const { 0: part, index } of raw.matchAll(/[^ ]+/g)) {
        const start = piece.start + index;
        yield { forms: typedForms(part.replace(/[.,:()]+$/, "")), start, end: start + part.length };
      }
    }
    yield* found(IDENTIFIERS, text, formsOf);
    yield* found(GROUPED, text, formsOf);
  }
  if (/\p{Lu}/u.test(text)) yield* found(NAMES, text, formsOf);
  for (const match of text.matchAll(QUOTED)) {
    const inside = match.groups?.inside ?? "";
    const start = match.index + 1;
    yield { forms: formsOf(inside), start, end: start + inside.length };
  }
}

function* found(pattern: RegExp, text: string, read: (raw: string) => readonly Form[]): Generator<Piece> {
  for (const { 0: raw, index } of text.matchAll(pattern)) {
    yield { forms: read(raw), start: index, end: index + raw.length };
  }
}

/** Words of a value that is looked for within a text. */
const LONGEST_SPAN = 7;

/** Every few words of `words` that follow each other, so that whatever value stands there is one of them; of two, in either order. */
export function* spansOf(words: readonly Word[]): Generator<Piece> {
  for (const [at, first] of words.entries()) {
    let before: TextSoFar | undefined;
    for (let count = 1; count <= LONGEST_SPAN && at + count <= words.length; count += 1) {
      const last = words[at + count - 1] as Word;
      before = longer(before, last);
      const form = formOf(before);
      if (form === undefined) break;
      const turned = count === 2 ? textForm([last, first]) : undefined;
      yield { forms: turned === undefined ? [form] : [form, turned], start: first.start, end: last.end };
    }
  }
}
