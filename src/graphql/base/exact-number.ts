/**
 * True when `literal`, a JSON number, is returned unchanged in our responses: converted to an IEEE 754
 * double and printed, it has the same decimal value. 1.50 is; 9007199254740993 and 1e400 are not, nor is -0 in any
 * spelling: RFC 8785 (section 3.2.2.3) prints it as 0.
 */
export function survivesAsDouble(literal: string): boolean {
  // 15 significant digits always survive, and without an exponent so short a literal is within range.
  if (literal.length <= 15 && !/[eE]/.test(literal)) return !/^-[0.]+$/.test(literal);
  // The longest spelling a double ever needs has some 330 characters; beyond, only zeros and attacks remain.
  if (literal.length > 400) return false;
  const value = Number(literal);
  return Number.isFinite(value) && decimal(literal) === decimal(String(value));
}

/** One spelling for each decimal value: digits without outer zeros, and the power of ten of the last of them. */
function decimal(literal: string): string {
  const [mantissa = "", exponent = "0"] = literal.toLowerCase().split("e");
  const negative = mantissa.startsWith("-");
  const [whole = "", fraction = ""] = mantissa.replace(/^[-+]/, "").split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return negative ? "-0" : "0";
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return `${negative ? "-" : ""}${significant}e${power}`;
}
