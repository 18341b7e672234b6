import bidiFactory from "bidi-js";
import unhomoglyph from "unhomoglyph";

// Its types are those of a module with a default export, which Node does not find in what is CommonJS.
const bidi = (bidiFactory as unknown as typeof bidiFactory.default)();

/**
 * What a person can tell apart of `text`, found without the code that renders it: each line in the order of the screen
 * (UAX #9), in one normal form, without what is never drawn, with blanks that count as one, and as a skeleton (UTS #39,
 * section 4). Texts with the same result look the same.
 */
export function seen(text: string): string {
  return text.split("\n").map(seenLine).join("\n");
}

function seenLine(line: string): string {
  const ordered = /^[ -~]*$/.test(line) ? line : bidi.getReorderedString(line, bidi.getEmbeddingLevels(line, "auto"));
  return skeleton(
    ordered
      .normalize("NFC")
      .replace(/[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\u2800]/gu, "")
      .replace(/[\p{Zs}\s]+/gu, " ")
      .trim(),
  );
}

/** Syllables of Hangul are drawn as one block each, so their parts are not compared. */
function skeleton(text: string): string {
  return text.replace(/[^ \uac00-\ud7a3]+/g, (part) => unhomoglyph(part.normalize("NFD")).normalize("NFD"));
}

/** `text` without the differences within ASCII that UTS #39 knows, as `1`, `l` and `I`: a font of fixed width shows those. */
export function foldAscii(text: string): string {
  return text.replace(/[ -~]+/g, unhomoglyph);
}
