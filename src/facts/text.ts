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

/** Whether every character of `text` can be seen, white space between others aside. */
export function isVisible(text: string): boolean {
  return !INVISIBLE.test(text) && /\S/.test(text);
}

/** Whether `text` can name something: 1 to `most` UTF-16 code units, visible, with no white space at either end. */
export function isName(text: string, most: number): boolean {
  return text.length <= most && isVisible(text) && text.trim() === text;
}

/** Whether `text` says something, in any number of lines: at most `most` UTF-16 code units, storable and not blank. */
export function isText(text: string, most: number): boolean {
  return text.length <= most && isStorable(text) && text.trim() !== "";
}
