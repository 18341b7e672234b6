/**
 * What a screen would not show, or would show as something else: control and format characters (bidirectional overrides,
 * zero-width joiners, tags), separators other than the plain space, fillers, private use, lone surrogates. Also the
 * bracket that our own notation begins with, so that nobody can write the notation by hand.
 */
const INVISIBLE =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u2800\u27e8]/u;
const EACH_INVISIBLE = new RegExp(INVISIBLE.source, "gu");

/** `text` with every character nobody would see written out, as ⟨U+202E⟩. One text has one form, and no two share one. */
export function makeVisible(text: string): string {
  return INVISIBLE.test(text) ? text.replace(EACH_INVISIBLE, notation) : text;
}

/** The same, leaving line feeds to break lines. */
export function makeLinesVisible(text: string): string {
  return INVISIBLE.test(text)
    ? text.replace(EACH_INVISIBLE, (character) => (character === "\n" ? character : notation(character)))
    : text;
}

function notation(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}
