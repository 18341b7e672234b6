import prototypes from "unhomoglyph/data.json" with { type: "json" };

/** From characters to what they are confused with: confusables.txt of UTS #39, of Unicode 13. */
const PROTOTYPES: ReadonlyMap<string, string> = new Map(Object.entries(prototypes));

/** Syllables are drawn as one block, so their parts are not compared with those of other syllables. */
const HANGUL_SYLLABLE = /^[\uac00-\ud7a3]$/;

/**
 * The skeleton of a character (UTS #39, section 4): characters with one skeleton look alike. Those that look like ASCII
 * have a skeleton in ASCII.
 */
export function skeletonOf(character: string): string {
  let skeleton = known.get(character);
  if (skeleton === undefined) {
    const parts = Array.from(character.normalize("NFD"), (part) => PROTOTYPES.get(part) ?? part);
    skeleton = HANGUL_SYLLABLE.test(character) ? character : parts.join("").normalize("NFD");
    known.set(character, skeleton);
  }
  return skeleton;
}

const known = new Map<string, string>();

/** How many characters that are no combining marks a skeleton has: æ has that of `ae`, which has two. */
export function basesIn(skeleton: string): number {
  return skeleton.match(/\P{M}/gu)?.length ?? 0;
}

/** Letters with accents: their accents may be confusable, which no list of characters says of the letters. */
const ACCENTED = [
  [0x00c0, 0x1fff],
  [0x2190, 0x22ff],
  [0x3041, 0x30ff],
] as const;

/** Every character that could look like another one, as far as Unicode knows. */
export function* characterWithLookAlikes(): Generator<string> {
  for (const [character, prototype] of PROTOTYPES) {
    yield character;
    yield* prototype;
  }
  for (const [from, to] of ACCENTED) {
    for (let code = from; code <= to; code++) yield String.fromCodePoint(code);
  }
}

const printable = Array.from({ length: 0x7f - 0x20 }, (_, n) => String.fromCodePoint(0x20 + n));
/** The brackets are those of our notation. */
const RESERVED = new Set([...printable, "⟨", "⟩"].map(skeletonOf));

/** Whether a character with this skeleton looks like ASCII, or like a bracket of our notation. */
export function isReserved(skeleton: string): boolean {
  return /^[ -~]*$/.test(skeleton) || RESERVED.has(skeleton);
}
