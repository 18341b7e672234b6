import { ConfigurationError } from "../../../errors.ts";

/** A pattern is tried on at most this many characters. */
export const MAX_INPUT = 512;
const MAX_PATTERN = 400;
/** Ways a pattern may split its input, at the very most. What backtracking costs in the worst case follows from it. */
const MAX_SPLITS = 250_000;

/** Escapes for one character or a position that are complete without the following characters. */
const PLAIN_ESCAPE = /^\\[wWdDsSbB^$\\.*+?()[\]{}|/-]/;
const BOUNDED = /^\{(\d{1,4})(?:,(\d{1,4}))?\}/;

/**
 * `source` as a regular expression that ignores case. Throws ConfigurationError unless it begins with `^`, holds neither
 * look-around nor back-reference, repeats single characters only and only up to a bound, and cannot split its input in
 * more than 250 000 ways: then no header makes it slow.
 */
export function compilePattern(source: string): RegExp {
  let pattern: RegExp;
  try {
    pattern = new RegExp(source, "iu");
  } catch (error) {
    throw new ConfigurationError(`the pattern ${source} is not a regular expression`, error);
  }
  const problem = source.length > MAX_PATTERN ? `is longer than ${MAX_PATTERN} characters` : danger(source);
  if (problem !== undefined) throw new ConfigurationError(`the pattern ${source} ${problem}`);
  return pattern;
}

/** What is wrong with a pattern whose syntax is right, or undefined. */
function danger(source: string): string | undefined {
  if (!source.startsWith("^")) return "does not begin with ^";
  let splits = 1;
  let depth = 0;
  let rest = source.slice(1);
  while (rest !== "") {
    const token = next(rest);
    if (token === undefined) return `has something other than plain text, classes and groups at ${rest}`;
    rest = rest.slice(token.length);
    if (token.startsWith("(")) depth++;
    if (token === ")") depth--;
    if (token === "|") {
      // The anchor would count for the first choice alone.
      if (depth === 0) return "has a choice outside of a group";
      splits *= 2;
    }
    const repeated = repetition(rest);
    if (repeated !== undefined) {
      if (repeated.most === undefined) return "repeats without a bound";
      if (token === ")" && repeated.most > 1) return "repeats a group";
      splits *= repeated.most - repeated.least + 1;
      rest = rest.slice(repeated.length);
    }
    if (splits > MAX_SPLITS) return "can split its input in too many ways";
  }
  return undefined;
}

/** The next character, class, escape or bracket of a pattern; undefined where it is none of these. */
function next(rest: string): string | undefined {
  switch (rest[0]) {
    case "\\":
      return PLAIN_ESCAPE.exec(rest)?.[0];
    case "[":
      return /^\[\^?(?:[^\\\]]|\\.)*\]/.exec(rest)?.[0];
    case "(":
      return rest.startsWith("(?") ? /^\(\?:/.exec(rest)?.[0] : "(";
    case "*":
    case "+":
    case "?":
    case "{":
      return undefined;
    default:
      return rest[0];
  }
}

interface Repetition {
  readonly least: number;
  /** Undefined: any number. */
  readonly most: number | undefined;
  /** Characters of the quantifier. */
  readonly length: number;
}

function repetition(rest: string): Repetition | undefined {
  const lazy = (length: number) => length + (rest[length] === "?" ? 1 : 0);
  if (rest.startsWith("*")) return { least: 0, most: undefined, length: lazy(1) };
  if (rest.startsWith("+")) return { least: 1, most: undefined, length: lazy(1) };
  if (rest.startsWith("?")) return { least: 0, most: 1, length: lazy(1) };
  const bounded = BOUNDED.exec(rest);
  if (bounded === null) return rest.startsWith("{") ? { least: 0, most: undefined, length: 1 } : undefined;
  const least = Number(bounded[1]);
  return {
    least,
    most: bounded[2] === undefined ? least : Number(bounded[2]),
    length: lazy(bounded[0].length),
  };
}
