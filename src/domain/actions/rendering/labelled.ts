import { type Piece, wrapped } from "./lines.ts";
import { VALUE_LINES } from "./values.ts";

/** Words of ours, and names. */
export type Words = readonly (string | readonly Piece[])[];

/** A line of ours, continued on further ones when it is long. */
export function labelled(words: Words, first = ""): readonly string[] {
  const pieces = words.flatMap((part) => (typeof part === "string" ? { text: part, splits: false } : part));
  return wrapped(pieces, { first, next: VALUE_LINES.next });
}
