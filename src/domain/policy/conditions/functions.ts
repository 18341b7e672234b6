import { type CelFunc, CelScalar, celFunc } from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";

const DECIMAL = /^-?\d{1,30}(?:\.\d{1,30})?$/;

/** The number that a decimal text or a number is. Throws for anything else, which makes the condition an error. */
function toNumber(value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "string" && DECIMAL.test(value)) return Number(value);
  throw new Error('number() takes a number, or a text such as "12.50"');
}

/**
 * Functions beside the standard ones: `number(x)`, since tools take amounts as numbers or as texts, and the texts extension of CEL
 * (`lowerAscii`, `split`, `trim`, …).
 */
export const FUNCTIONS: readonly CelFunc[] = [
  ...strings,
  celFunc("number", [CelScalar.DYN], CelScalar.DOUBLE, toNumber),
];
