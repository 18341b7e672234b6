/** Characters that no line of a card may have: they end lines, hide text or turn its direction. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** What Adaptive Cards replace by a date or a time, even in text that is no Markdown: {{DATE(…)}}. */
const FUNCTION = /\{(?=\{)/g;
/** Joins what is around it, and is not seen. */
const WORD_JOINER = "\u2060";

/** `text` as one line that a card shows as it is, of at most `longest` UTF-16 code units. What is cut ends with an ellipsis. */
export function plainText(text: string, longest: number): string {
  const visible = text.slice(0, longest * 2).replace(HIDDEN, "\ufffd");
  const cut = text.length > longest ? `${visible.slice(0, longest - 1).toWellFormed()}…` : visible;
  return cut.replace(FUNCTION, `{${WORD_JOINER}`);
}
