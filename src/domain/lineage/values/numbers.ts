/** A number as people and programs write it: with a currency or percent sign, groups of digits, either decimal mark. */
const NUMBER =
  /^(?<open>\()?(?<sign>[-+\u2212])?\s*(?:(?:(?<code>[A-Z]{3})\s|[A-Z]{0,2}\p{Sc}\s?))?(?<sign2>[-\u2212])?(?<digits>\d[\d.,'\u2019\u00a0\u202f\u2009 ]*)(?:\s(?<code2>[A-Z]{3})|\s?[\p{Sc}%])?(?<close>\))?$/u;
/** ISO 4217. */
const CURRENCIES = new Set(Intl.supportedValuesOf("currency"));
/** Digits, separators included, of what is taken for a number. */
const LONGEST = 40;
const GROUPED = /^\d{1,3}(?:(?<mark>[.,'\u2019\u00a0\u202f\u2009 ])\d{3})(?:\k<mark>\d{3})*$/u;

/**
 * The numbers that `text` may be, as decimals without a needless zero; none when it is no number. `1,234` may be two. Signs of currencies and
 * per cent are left out: whoever writes 12 in a column of euros means the 12 € that somebody else read.
 */
export function numbersIn(text: string): readonly string[] {
  if (text.length > LONGEST + 12) return [];
  const { groups } = NUMBER.exec(text.trim()) ?? {};
  const digits = groups?.digits?.trim();
  if (digits === undefined || digits.length > LONGEST || /[^\d]$/.test(digits)) return [];
  if (![groups?.code, groups?.code2].every((code) => code === undefined || CURRENCIES.has(code))) return [];
  const isNegative =
    groups?.sign === "-" || groups?.sign === "\u2212" || groups?.sign2 || (groups?.open && groups.close);
  return [...new Set(decimalsOf(digits))].map((decimal) => (isNegative && decimal !== "0" ? `-${decimal}` : decimal));
}

/** The same of a number of JSON. */
export function numberText(value: number): string | undefined {
  const text = String(value);
  return text.includes("e") ? undefined : text;
}

function decimalsOf(digits: string): readonly string[] {
  if (/^\d+$/.test(digits)) return [plain(digits, "")];
  const found: string[] = [];
  if (GROUPED.test(digits)) found.push(plain(digits.replace(/\D/g, ""), ""));
  const last = Math.max(digits.lastIndexOf("."), digits.lastIndexOf(","));
  const [whole, fraction] = [digits.slice(0, last), digits.slice(last + 1)];
  const isDecimal = last > 0 && /^\d+$/.test(fraction) && !whole.includes(digits[last] as string);
  if (isDecimal && (/^\d+$/.test(whole) || GROUPED.test(whole))) found.push(plain(whole.replace(/\D/g, ""), fraction));
  return found;
}

function plain(whole: string, fraction: string): string {
  const left = whole.replace(/^0+(?=\d)/, "");
  const right = fraction.replace(/0+$/, "");
  return right === "" ? left : `${left}.${right}`;
}

/** Digits that tell something: those of 1200 are two. */
export function significantDigits(decimal: string): number {
  const digits = decimal.replace("-", "");
  return (digits.includes(".") ? digits : digits.replace(/0+$/, "")).replace(".", "").replace(/^0+/, "").length;
}
