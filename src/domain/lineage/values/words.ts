/** A word of a text: its normalised form, and where it is. */
export interface Word {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** How many of its characters are digits, and how many of scripts without cases, of which a word has few. */
  readonly digits: number;
  readonly dense: number;
}

/** What is drawn as nothing parts no word. */
const WORD = /[\p{L}\p{N}\p{M}\p{Alphabetic}\p{Default_Ignorable_Code_Point}]+/gu;
/** Scripts that put no space between words. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
/** Characters that are given to the segmenter in one go. */
const PIECE = 4_096;
const segmenter = new Intl.Segmenter("und", { granularity: "word" });

/**
 * How letters and digits are compared: compatibility forms (full width, ligatures) are those they stand for, case and the accents of
 * Latin, Greek and Cyrillic letters do not count. Vowel signs of other scripts do.
 */
export function fold(text: string): string {
  // A word of ASCII, which most are.
  if (/^[\w-]*$/.test(text)) return text.toLowerCase();
  return text
    .replaceAll(/\p{Default_Ignorable_Code_Point}/gu, "")
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll("ß", "ss")
    .normalize("NFD")
    .replaceAll(/[\u0300-\u036f]/g, "")
    .normalize("NFC");
}

/** The words of `text`, without what is between them. */
export function* wordsOf(text: string): Generator<Word> {
  for (const { 0: found, index } of text.matchAll(WORD)) {
    if (!UNSPACED.test(found)) {
      if (fold(found) !== "") yield wordOf(found, index);
      continue;
    }
    for (let at = 0; at < found.length; at += PIECE) {
      for (const { segment, index: inner } of segmenter.segment(found.slice(at, at + PIECE))) {
        yield wordOf(segment, index + at + inner);
      }
    }
  }
}

const DENSE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu;

function wordOf(found: string, start: number): Word {
  const place = { text: fold(found), start, end: start + found.length };
  // Of ASCII, which most are.
  if (/^[A-Za-z]*$/.test(found)) return { ...place, digits: 0, dense: 0 };
  const digits = found.match(/\p{N}/gu)?.length ?? 0;
  return { ...place, digits, dense: found.match(DENSE)?.length ?? 0 };
}
