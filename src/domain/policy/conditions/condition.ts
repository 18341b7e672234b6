import { isCelError, parse, plan } from "@bufbuild/cel";
import type { JsonValue } from "../../../facts/canonical.ts";
import { ConditionError, checkExpression, ENVIRONMENT, type Expression, MAX_CONDITION } from "./check.ts";
import { type Path, readsOf, valueAtPath } from "./reads.ts";
import type { Bindings } from "./variables.ts";

/** What a condition is for one situation. `error`: it could not be evaluated, and why. */
export type ConditionResult = { readonly matches: boolean } | { readonly error: string };

export interface Condition {
  /** The values it reads. */
  readonly reads: readonly Path[];
  evaluate(bindings: Bindings, values: JsonValue): ConditionResult;
}

/** UTF-16 code units and elements of what a condition reads: matching a pattern takes time in proportion. */
const MAX_STRING = 16_384;
const MAX_LIST = 1_000;
const PLACE = /^<input>:(\d+):(\d+): /;

function parsed(text: string): ReturnType<typeof parse> & { readonly expr: Expression } {
  if (text.length > MAX_CONDITION) {
    throw new ConditionError(`is longer than ${MAX_CONDITION} characters: split it into several rules`, 0);
  }
  let result: ReturnType<typeof parse>;
  try {
    result = parse(text);
  } catch (error) {
    // Too many parentheses overflow the parser's stack.
    if (error instanceof RangeError) throw new ConditionError("is nested too deep", 0);
    const message = error instanceof Error ? error.message : String(error);
    const [all = "", line = "1", column = "1"] = PLACE.exec(message) ?? [];
    const before = text.split("\n").slice(0, Number(line) - 1);
    const offset = before.reduce((sum, { length }) => sum + length + 1, 0) + Number(column) - 1;
    throw new ConditionError(message.slice(all.length), offset);
  }
  const { expr } = result;
  if (expr === undefined) throw new ConditionError("is empty", 0);
  return { ...result, expr };
}

/** Whether `value` has a text or a list that is too long to be evaluated. */
function isOversized(value: JsonValue | undefined): boolean {
  if (typeof value === "string") return value.length > MAX_STRING;
  if (typeof value !== "object" || value === null) return false;
  const members: readonly JsonValue[] = Object.values(value as Readonly<Record<string, JsonValue>>);
  return members.length > MAX_LIST || members.some(isOversized);
}

/** Compiles `text`. Throws ConditionError. */
export function compileCondition(text: string): Condition {
  const { expr, sourceInfo } = parsed(text);
  checkExpression(expr, ({ id }) => sourceInfo?.positions[String(id)] ?? 0);
  const reads = readsOf(expr);
  const run = plan(ENVIRONMENT, expr) as (bindings: Bindings) => unknown;
  return {
    reads,
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
