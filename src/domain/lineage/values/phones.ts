import { parsePhoneNumberFromString } from "libphonenumber-js/min";

/** How people write telephone numbers: with a code of the country, parentheses, and marks between groups. */
const PHONE =
  /^(?:tel:)?(?<plus>\+|00)?\s?[\d()][\d\s().\-/\u2010-\u2013\u00a0]{5,24}\d(?:\s?(?:x|ext\.?)\s?\d{1,6})?$/i;
/** E.164: at most 15 digits with the code of the country. Numbers of fewer are too short to be told from others. */
const [FEWEST, MOST] = [7, 15];

/**
 * The national number that `text` may be (E.164, without the code of the country and without a zero in front), so that both ways to write one
 * are the same; undefined when it is none.
 */
export function phoneIn(text: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed.length > 40) return undefined;
  const found = PHONE.exec(trimmed);
  if (found === null) return undefined;
  const isInternational = found.groups?.plus !== undefined;
  const written = trimmed.replace(/^tel:/i, "").replace(/\s?(?:x|ext\.?)\s?\d{1,6}$/i, "");
  const digits = written.replace(/\D/g, "");
  if (digits.length < FEWEST || digits.length > MOST) return undefined;
  if (isInternational) {
    const parsed = parsePhoneNumberFromString(`+${digits.replace(/^00/, "")}`);
    if (parsed !== undefined) return parsed.nationalNumber;
  }
  const national = digits.length === 11 && digits.startsWith("1") ? digits.slice(1) : digits.replace(/^0+/, "");
  return national.length >= FEWEST ? national : undefined;
}
