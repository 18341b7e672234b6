import { isCelError, plan } from "@bufbuild/cel";
import type { Window } from "../windows/window.ts";
import { checkExpression, ENVIRONMENT, MAX_LIST } from "./check.ts";
import { direct } from "./direct.ts";
import { parsed } from "./parse.ts";
import { type Bindings, isOversized, type Known, MAX_STRING, type Readings } from "./readings.ts";
import { type Path, readsOf, valueAtPath } from "./reads.ts";
import { takeWindows } from "./windows.ts";

/** What a condition is for one situation. `error`: it could not be evaluated, and why. */
export type ConditionResult = { readonly matches: boolean } | { readonly error: string };

export interface Condition {
  /** The values it reads. */
  readonly reads: readonly Path[];
  /** How many parts are evaluated at most. */
  readonly cost: number;
  /** The windows among them. */
  readonly windows: readonly Window[];
  evaluate(readings: Readings): ConditionResult;
  /** Whether it is false whatever else there is, unless something that it reads is oversized. */
  isNever(known: Known): boolean;
}

const TRUE: ConditionResult = { matches: true };
export const FALSE: ConditionResult = { matches: false };

/** Compiles `text`. `measures`: the names of those that windows can add up. Throws ConditionError. */
export function compileCondition(text: string, measures: ReadonlySet<string> = new Set()): Condition {
  const { expr, sourceInfo } = parsed(text);
  const cost = checkExpression(expr, ({ id }) => sourceInfo?.positions[String(id)] ?? 0, measures);
  const windows = takeWindows(expr, measures);
  const reads = readsOf(expr);
  const run = plan(ENVIRONMENT, expr) as (bindings: Bindings) => unknown;
  const known = direct(expr);
  return {
    reads,
    cost,
    windows,
    isNever: (given) => known(given) === false,
    evaluate(readings) {
      if (readings.isOversized && reads.some((path) => isOversized(valueAtPath(readings.variables, path)))) {
        return { error: `a text of more than ${MAX_STRING} characters or a list of more than ${MAX_LIST} is read` };
      }
      const matches = known(readings);
      if (typeof matches === "boolean") return matches ? TRUE : FALSE;
      let result: unknown;
      try {
        result = run(readings.bindings());
      } catch (error) {
        return { error: error instanceof Error ? error.message : String(error) };
      }
      if (typeof result === "boolean") return { matches: result };
      if (isCelError(result)) return { error: result.message };
      return { error: "is neither true nor false" };
    },
  };
}
