/**
 * Characters that nobody sees, or that change how their neighbours are seen: controls, formats (joiners, direction
 * marks), private use, lone surrogates, default-ignorables, noncharacters, line and paragraph separators (Unicode 17,
 * DerivedCoreProperties), and BRAILLE PATTERN BLANK, which is drawn as nothing. Two names must not look the same because of them.
 */
const INVISIBLE =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800]/u;

/** Whether an entry and the database can hold `text`: a lone surrogate has no UTF-8 form, PostgreSQL's text no U+0000. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

/** A combining mark on what is no letter, the third on a letter, and those that cross or enclose what they are on. */
const MISUSED_MARK = /(?<![\p{L}\p{M}])\p{M}|(?<=\p{M}{2})\p{M}|\p{Me}|[\u0334-\u0338]|[\u20d0-\u20ff]/u;

/**
 * Why `text` can name nothing, and what to do, as the end of a sentence about it; undefined: it is a name. The one rule for ids,
 * names, roles, groups, tools and platforms, wherever they come from: 1 to `most` UTF-16 code units in normal form C, every
 * character visible, single plain spaces between words only, and combining marks only where scripts need them.
 */
export function nameProblem(text: string, most: number): string | undefined {
  if (text === "" || text.length > most) return `must have 1 to ${most} characters`;
  const unseen = INVISIBLE.exec(text) ?? /(?! )\s/u.exec(text);
  if (unseen !== null) return `has ${codePointAt(text, unseen.index)}, which cannot be seen: leave it out`;
  if (/^ | {2}| $/.test(text)) return "must have no spaces but single ones between words";
  const mark = MISUSED_MARK.exec(text);
  if (mark !== null) {
    return `has ${codePointAt(text, mark.index)}, a combining mark where it changes how other characters look: leave it out`;
  }
  return text.normalize("NFC") === text ? undefined : "must be in Unicode normal form C (NFC)";
}

/** The code point at unit `index` of `text`, and which character of it that is. */
function codePointAt(text: string, index: number): string {
  const code = (text.codePointAt(index) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return `U+${code} as character ${Array.from(text.slice(0, index)).length + 1}`;
}

/** Whether `text` says something, in any number of lines: at most `most` UTF-16 code units, storable and not blank. */
export function isText(text: string, most: number): boolean {
  return text.length <= most && isStorable(text) && text.trim() !== "";
}
