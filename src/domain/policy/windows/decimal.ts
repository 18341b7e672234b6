import type { JsonValue } from "../../../facts/canonical.ts";

/** A number from 0, as a decimal text: exact, with at most 18 digits before the point and 18 behind it. */
export type Decimal = string;

const DECIMAL = /^\d{1,18}(?:\.\d{1,18})?$/;
const EXPONENT = /^(\d)(?:\.(\d+))?e-(\d+)$/;

/** The exact decimal text that a number or a text is; undefined: it is neither, negative, or longer than a Decimal can be. */
export function decimalOf(value: JsonValue): Decimal | undefined {
  const text = typeof value === "number" ? digitsOf(value) : value;
  return typeof text === "string" && DECIMAL.test(text) ? text : undefined;
}

/** JavaScript writes 0.0000001 as 1e-7. */
function digitsOf(value: number): string {
  const text = String(value);
  const [, first, rest = "", exponent] = EXPONENT.exec(text) ?? [];
  return first === undefined ? text : `0.${"0".repeat(Number(exponent) - 1)}${first}${rest}`;
}

/** The sum, exactly. Of sums: any number of digits before the point. */
export function addDecimals(one: Decimal, other: Decimal): Decimal {
  const [a = "", b = ""] = [one, other].map((text) => text.split(".")[1] ?? "");
  const places = Math.max(a.length, b.length);
  const scaled = (text: Decimal) => {
    const [whole = "0", fraction = ""] = text.split(".");
    return BigInt(`${whole}${fraction.padEnd(places, "0")}`);
  };
  const digits = String(scaled(one) + scaled(other)).padStart(places + 1, "0");
  return places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}
