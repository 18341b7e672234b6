import { basesIn, characterWithLookAlikes, isReserved, skeletonOf } from "./look-alikes.ts";

/**
 * How a character beyond ASCII is shown: `PLAIN` as it is, `WRITTEN` by its code point, `NAMED` as itself with its code point,
 * and otherwise inside a mark that names its script.
 */
export type Shown = "PLAIN" | "WRITTEN" | "NAMED" | Script;

/** The scripts in common use (UAX #31, table 5), less those that are shown without a mark. */
const MARKED_SCRIPTS = [
  "Arabic",
  "Armenian",
  "Bengali",
  "Bopomofo",
  "Cyrillic",
  "Devanagari",
  "Ethiopic",
  "Georgian",
  "Greek",
  "Gujarati",
  "Gurmukhi",
  "Hebrew",
  "Kannada",
  "Katakana",
  "Khmer",
  "Lao",
  "Malayalam",
  "Myanmar",
  "Oriya",
  "Sinhala",
  "Tamil",
  "Telugu",
  "Thaana",
  "Thai",
  "Tibetan",
] as const;
export type Script = (typeof MARKED_SCRIPTS)[number];

const BY_SCRIPT = MARKED_SCRIPTS.map((script) => ({ script, pattern: new RegExp(`^\\p{Script=${script}}$`, "u") }));

/** Written from right to left, so that what is beside it changes places with it (UAX #9). */
export function isRightToLeft(script: Script): boolean {
  return script === "Arabic" || script === "Hebrew" || script === "Thaana";
}

/** What Unicode reserves for characters from right to left (UAX #9; DerivedBidiClass.txt). */
const RIGHT_TO_LEFT = /^[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]$/u;

const VISIBLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u;
/**
 * Drawn as nothing or nearly so, or as a sign for what has no glyph: default-ignorables, BRAILLE PATTERN BLANK, ARABIC TATWEEL,
 * specials. Regional indicators are drawn as flags in pairs, of which several are the same.
 */
const NOT_AS_IT_IS = /[\p{Default_Ignorable_Code_Point}\p{Regional_Indicator}\u2800\u0640\ufff0-\uffff]/u;
/** Letters that are shown without a mark: those of Latin, and the ideographs and syllables that are used together with it. */
const UNMARKED_LETTER = /^(?=\p{L})(?:\p{Script=Latin}|\p{Script=Han}|\p{Script=Hiragana}|[\uac00-\ud7a3])$/u;
const SYMBOL = /^(?=[\p{P}\p{S}])\p{Script=Common}$/u;
/** Beyond the basic plane, few fonts have symbols other than these. */
const KNOWN_SYMBOL = /^[\u0080-\uffff\p{Extended_Pictographic}\p{Emoji}]$/u;

/** How `character` would be shown if nothing looked like it. */
function shownAlone(character: string): Exclude<Shown, "NAMED"> {
  if (!VISIBLE.test(character) || NOT_AS_IT_IS.test(character)) return "WRITTEN";
  // A form for compatibility is drawn much like what it stands for.
  if (character.normalize("NFKC") !== character) return "WRITTEN";
  if (UNMARKED_LETTER.test(character)) return "PLAIN";
  // U+30FC is used by Hiragana too, and looks like an ideograph.
  const script = character === "\u30fc" ? "Katakana" : BY_SCRIPT.find(({ pattern }) => pattern.test(character))?.script;
  if (script !== undefined) {
    // Digits beside letters from right to left have places that depend on what is before them.
    return (isRightToLeft(script) ? /^[\p{L}\p{M}]$/u : /^[\p{L}\p{M}\p{Nd}]$/u).test(character) ? script : "WRITTEN";
  }
  return SYMBOL.test(character) && KNOWN_SYMBOL.test(character) && !RIGHT_TO_LEFT.test(character) ? "PLAIN" : "WRITTEN";
}

/** Of the characters that are shown in one way and look alike, the one that is shown as it is. Made when first needed. */
let chosen: ReadonlyMap<string, string> | undefined;
/** Skeletons of single characters of a script that several others together may have as well. */
const ligatures = new Map<string, Set<string>>();

function choose(): ReadonlyMap<string, string> {
  const best = new Map<string, string>();
  for (const character of new Set(characterWithLookAlikes())) {
    if (character <= "\u007f") continue;
    const alone = shownAlone(character);
    if (alone === "WRITTEN") continue;
    const skeleton = skeletonOf(character);
    const key = `${alone} ${skeleton}`;
    const other = best.get(key);
    if (other === undefined || isBefore(character, other)) best.set(key, character);
    if (Array.from(skeleton).length > 1) ligatures.set(alone, (ligatures.get(alone) ?? new Set()).add(skeleton));
  }
  return best;
}

/** Ideographs before others, because texts are made of them; else the older character, which is used more often. */
function isBefore(a: string, b: string): boolean {
  const [first, second] = [/\p{Script=Han}/u.test(a), /\p{Script=Han}/u.test(b)];
  return first === second ? (a.codePointAt(0) ?? 0) < (b.codePointAt(0) ?? 0) : first;
}

const known = new Map<string, Shown>();

/** How `character`, a code point beyond ASCII, is shown. */
export function shownAs(character: string): Shown {
  let shown = known.get(character);
  if (shown === undefined) {
    shown = decide(character);
    known.set(character, shown);
  }
  return shown;
}

function decide(character: string): Shown {
  const alone = shownAlone(character);
  if (alone === "WRITTEN") return alone;
  chosen ??= choose();
  const skeleton = skeletonOf(character);
  const isChosen = (chosen.get(`${alone} ${skeleton}`) ?? character) === character;
  // A mark with the script tells its letters from ASCII.
  if (isChosen && (alone !== "PLAIN" || (!isReserved(skeleton) && basesIn(skeleton) === 1))) return alone;
  return /\p{L}/u.test(character) && !RIGHT_TO_LEFT.test(character) ? "NAMED" : "WRITTEN";
}

/** Whether the last characters of `before`, all of `script`, together with `character` look like a single one of it. */
export function completesLookAlike(before: readonly string[], character: string, script: Script): boolean {
  const single = ligatures.get(script);
  if (single === undefined) return false;
  let skeleton = skeletonOf(character);
  return before.toReversed().some((earlier) => {
    skeleton = skeletonOf(earlier) + skeleton;
    return single.has(skeleton) || single.has(skeleton.normalize("NFD"));
  });
}
