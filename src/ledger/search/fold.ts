/**
 * `text` in the form that searches compare: the same for either Unicode normal form and for any case. The database's function
 * oc_search_fold does the same (a test compares both): each character is converted by itself, whatever its neighbours are.
 */
export function fold(text: string): string {
  if (/^[\0-\x7f]*$/.test(text)) return text.toLowerCase();
  // The two characters that JavaScript converts by their neighbours, or into two.
  return text.normalize("NFKC").replaceAll("\u03a3", "\u03c3").replaceAll("\u0130", "i").toLowerCase();
}
