import { completesLookAlike, isRightToLeft, type Script, shownAs } from "./characters.ts";
import { columnsOf, type Piece } from "./lines.ts";

/** Combining marks on one base that are shown. */
const MAX_MARKS = 2;
/** Characters that together look like a single one of the same script: at most five, in Unicode 13. */
const MAX_PARTS = 5;
/** Columns of the text in one mark with a script. */
const MAX_MARKED = 40;

/** One or more spaces, other ASCII that is printed, or anything else. */
const RUN = / +|[!-~]+|[^ -~]+/gu;
/** A character with the combining marks on it. */
const CLUSTER = /\P{M}\p{M}*|\p{M}+/gu;

/** Text that is shown as it is, or a character of a script, or a mark of ours. */
type Part =
  | { readonly kind: "AS_IS"; readonly text: string }
  | { readonly kind: "SPACE" }
  | { readonly kind: "MARK"; readonly text: string }
  | { readonly kind: Script; readonly text: string };

/**
 * One line of `text` as people can tell it from every other. ASCII is shown as it is, and so are the letters of Latin, Han,
 * Hiragana and Hangul and symbols that look like nothing else. Other scripts are shown inside ⟨Script: …⟩, spaces that are
 * not single ones between words as ⟨3 spaces⟩, letters that look like others as ⟨ı U+0131⟩, and all else, the brackets
 * included, as ⟨U+202E⟩.
 */
export function markedUp(text: string): readonly Piece[] {
  if (/^[!-~]+$/.test(text)) return [{ text, splits: true }];
  return piecesOf(partsOf(text));
}

function partsOf(text: string): readonly Part[] {
  if (/^[!-~]+(?: [!-~]+)*$/.test(text)) {
    return text
      .split(" ")
      .flatMap((word, n): Part[] => [...(n === 0 ? [] : [{ kind: "SPACE" } as const]), { kind: "AS_IS", text: word }]);
  }
  const parts: Part[] = [];
  for (const { 0: run, index } of text.matchAll(RUN)) {
    if (run.startsWith(" ")) {
      const between = index > 0 && index + run.length < text.length;
      parts.push(run === " " && between ? { kind: "SPACE" } : { kind: "MARK", text: spaces(run.length) });
    } else if (/^[!-~]/.test(run)) {
      parts.push({ kind: "AS_IS", text: run });
    } else {
      for (const [cluster] of run.matchAll(CLUSTER)) addCluster(parts, cluster);
    }
  }
  return parts;
}

/** How spaces are shown that nobody would count. */
function spaces(count: number): string {
  return count === 1 ? "⟨space⟩" : `⟨${count} spaces⟩`;
}

function addCluster(parts: Part[], cluster: string): void {
  // Two texts that differ in their normal form only would look the same.
  if (cluster.normalize("NFC") !== cluster) {
    for (const character of cluster) parts.push(written(character));
    return;
  }
  const [base = "", ...marks] = cluster;
  const shown = /^\p{M}/u.test(base) ? "WRITTEN" : shownAs(base);
  if (shown === "WRITTEN" || shown === "NAMED" || shown === "PLAIN") {
    if (shown === "PLAIN") parts.push({ kind: "AS_IS", text: base });
    else parts.push(shown === "NAMED" ? named(base) : written(base));
    for (const mark of marks) parts.push(written(mark));
    return;
  }
  parts.push(
    completesLookAlike(lettersBefore(parts, shown), base, shown) ? written(base) : { kind: shown, text: base },
  );
  const isBaseShown = parts.at(-1)?.kind === shown;
  for (const [n, mark] of marks.entries()) {
    const isShown = isBaseShown && n < MAX_MARKS && shownAs(mark) === shown;
    const looksLikeOne = isShown && completesLookAlike(lettersBefore(parts, shown), mark, shown);
    parts.push(isShown && !looksLikeOne ? { kind: shown, text: mark } : written(mark));
  }
}

/** The characters at the end that a mark of `script` would hold. */
function lettersBefore(parts: readonly Part[], script: Script): readonly string[] {
  const last = parts.slice(-MAX_PARTS);
  const letters = last.slice(last.findLastIndex(({ kind }) => kind !== script) + 1);
  return letters.map((part) => ("text" in part ? part.text : ""));
}

function written(character: string): Part {
  return { kind: "MARK", text: `⟨${codePoint(character)}⟩` };
}

function named(letter: string): Part {
  return { kind: "MARK", text: `⟨${letter} ${codePoint(letter)}⟩` };
}

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Parts as pieces of lines: neighbours of one script share a mark, with the single spaces between them. */
function piecesOf(parts: readonly Part[]): readonly Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < parts.length; ) {
    const part = parts[at] as Part;
    if (part.kind === "SPACE") pieces.push({ text: " ", splits: false });
    else if (part.kind === "AS_IS") pieces.push({ text: part.text, splits: part.text <= "\u007f" });
    else if (part.kind === "MARK") pieces.push({ text: part.text, splits: false });
    else {
      const { text, end } = scriptFrom(parts, at, part.kind);
      const ending = isRightToLeft(part.kind) ? ", right to left" : "";
      pieces.push({ text: `⟨${part.kind}: ${text}${ending}⟩`, splits: false });
      at = end;
      continue;
    }
    at++;
  }
  return pieces;
}

/** What one mark holds of the text that begins at `start`: whole words where they fit. */
function scriptFrom(
  parts: readonly Part[],
  start: number,
  script: Script,
): { readonly text: string; readonly end: number } {
  let text = "";
  let columns = 0;
  /** Behind the last whole word that fits. */
  let whole = { text: "", end: start };
  for (let end = start; ; end++) {
    const part = parts[end];
    if (part?.kind !== script) whole = { text, end };
    const isBetween = part?.kind === "SPACE" && parts[end + 1]?.kind === script;
    if (part?.kind !== script && !isBetween) return whole;
    const next = part.kind === "SPACE" ? " " : part.text;
    columns += columnsOf(next);
    if (columns > MAX_MARKED) return whole.end > start ? whole : { text, end };
    text += next;
  }
}
