/** 1 at the codes of lowercase hex digits. */
const IS_DIGIT = new Uint8Array(128);
for (const digit of "0123456789abcdef") IS_DIGIT[digit.charCodeAt(0)] = 1;

/**
 * Whether hex digits stand at these places. A regular expression branches at each on whether it is a digit or a letter,
 * which no processor foresees: of texts that are seen once, as in a verification, it takes twice the time.
 */
function areDigits(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (IS_DIGIT[text.charCodeAt(at)] !== 1) return false;
  return true;
}

/** Whether `text` is 64 lowercase hex digits. */
export function isHex64(text: string): boolean {
  return text.length === 64 && areDigits(text, 0, 64);
}

/** Whether `text` is 32 lowercase hex digits. */
export function isHex32(text: string): boolean {
  return text.length === 32 && areDigits(text, 0, 32);
}

const SHA_256 = "sha256:";

/** Whether `text` is `sha256:` and 64 lowercase hex digits. */
export function isHash(text: string): boolean {
  return (
    text.length === SHA_256.length + 64 && text.startsWith(SHA_256) && areDigits(text, SHA_256.length, text.length)
  );
}

/** What stands at each place of a UUID, and what each code is: 1 for a digit, 2 for a hyphen. */
const UUID_FORM = Uint8Array.from("dddddddd-dddd-dddd-dddd-dddddddddddd", (place) => (place === "d" ? 1 : 2));
const SORT = Uint8Array.from(IS_DIGIT);
SORT["-".charCodeAt(0)] = 2;

/** Whether `text` is a UUID in lower case. */
export function isUuid(text: string): boolean {
  if (text.length !== 36) return false;
  for (let at = 0; at < 36; at++) if (SORT[text.charCodeAt(at)] !== UUID_FORM[at]) return false;
  return true;
}
