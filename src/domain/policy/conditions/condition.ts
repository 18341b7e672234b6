import { isCelError, plan } from "@bufbuild/cel";
import type { JsonValue } from "../../../facts/canonical.ts";
import type { Window } from "../windows/window.ts";
import { checkExpression, ENVIRONMENT, MAX_LIST } from "./check.ts";
import { parsed } from "./parse.ts";
import { type Path, readsOf, valueAtPath } from "./reads.ts";
import type { Bindings } from "./variables.ts";
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
  evaluate(bindings: Bindings, values: JsonValue): ConditionResult;
}

/** UTF-16 code units of a text that a condition reads: matching a pattern takes time in proportion. */
const MAX_STRING = 16_384;

/** Whether `value` has a text or a list that is too long to be evaluated. */
function isOversized(value: JsonValue | undefined): boolean {
  if (typeof value === "string") return value.length > MAX_STRING;
  if (typeof value !== "object" || value === null) return false;
  const members: readonly JsonValue[] = Object.values(value as Readonly<Record<string, JsonValue>>);
  return members.length > MAX_LIST || members.some(isOversized);
}

/** Compiles `text`. `measures`: the names of those that windows can add up. Throws ConditionError. */
export function compileCondition(text: string, measures: ReadonlySet<string> = new Set()): Condition {
  const { expr, sourceInfo } = parsed(text);
  const cost = checkExpression(expr, ({ id }) => sourceInfo?.positions[String(id)] ?? 0, measures);
  const windows = takeWindows(expr, measures);
  const reads = readsOf(expr);
  const run = plan(ENVIRONMENT, expr) as (bindings: Bindings) => unknown;
  return {
    reads,
    cost,
    windows,
    evaluate(bindings, values) {
      if (reads.some((path) => isOversized(valueAtPath(values, path)))) {
        return { error: `a text of more than ${MAX_STRING} characters or a list of more than ${MAX_LIST} is read` };
      }
      let result: unknown;
      try {
        result = run(bindings);
      } catch (error) {
        return { error: error instanceof Error ? error.message : String(error) };
      }
      if (typeof result === "boolean") return { matches: result };
      if (isCelError(result)) return { error: result.message };
      return { error: "is neither true nor false" };
    },
  };
}
