/** The whole number `text` of the argument `name`. Throws a RangeError that says what is possible. */
export function wholeNumber(name: string, text: string, from: number, to: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= from && value <= to) return value;
  throw new RangeError(`--${name} has to be a whole number from ${from} to ${to}, not ${text}`);
}
