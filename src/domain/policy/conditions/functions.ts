import { type CelFunc, CelScalar, celFunc, celMethod, listType } from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";
import { TIME_FUNCTIONS } from "./times.ts";

const DECIMAL = /^-?\d{1,30}(?:\.\d{1,30})?$/;

/** The number that a decimal text or a number is. Throws for anything else, which makes the condition an error. */
export function toNumber(value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "string" && DECIMAL.test(value)) return Number(value);
  throw new Error('number() takes a number, or a text such as "12.50"');
}

/** UTF-16 code units, and elements, of what a function makes: conditions go through lists, and what they are given is bounded too. */
const MAX_RESULT = 16_384;
const MAX_PARTS = 1_000;

function split(this: string, separator: string): string[] {
  const parts = this.split(separator, MAX_PARTS + 1);
  if (parts.length > MAX_PARTS) throw new Error(`split() makes more than ${MAX_PARTS} parts`);
  return parts;
}

function replace(this: string, from: string, to: string): string {
  const found = from === "" ? this.length + 1 : this.split(from).length - 1;
  if (this.length + found * Math.max(0, to.length - from.length) > MAX_RESULT) {
    throw new Error(`replace() makes more than ${MAX_RESULT} characters`);
  }
  return this.replaceAll(from, () => to);
}

const { STRING } = CelScalar;
/** In place of those of the extension, whose results have no bound. */
const BOUNDED: readonly CelFunc[] = [
  celMethod("split", STRING, [STRING], listType(STRING), split as never),
  celMethod("replace", STRING, [STRING, STRING], STRING, replace as never),
];
const UNBOUNDED = new Set(["split", "replace", "join", "format"]);

/**
 * Functions beside the standard ones: `number(x)`, since tools take amounts as numbers or as texts, and the texts extension of CEL
 * (`lowerAscii`, `split`, `trim`, …).
 */
export const FUNCTIONS: readonly CelFunc[] = [
  ...strings.filter(({ name }) => !UNBOUNDED.has(name)),
  ...BOUNDED,
  ...TIME_FUNCTIONS,
  celFunc("number", [CelScalar.DYN], CelScalar.DOUBLE, toNumber),
];
