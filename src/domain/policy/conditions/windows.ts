import { parse } from "@bufbuild/cel";
import { WINDOW_FUNCTIONS, type Window, windowOf } from "../windows/window.ts";
import { ConditionError, parsed } from "./parse.ts";
import { below, type Expression, OUTERMOST } from "./tree.ts";

/** The variable that has the values of windows by their texts. No condition can name it: it is no identifier of CEL. */
export const WINDOWS = "@windows";

/** The text that `expression` is, written out; undefined: it is something else. */
function literalOf({ exprKind }: Expression): string | undefined {
  if (exprKind.case !== "constExpr") return undefined;
  const { constantKind } = exprKind.value;
  return constantKind.case === "stringValue" ? constantKind.value : undefined;
}

/** The window that `expression` calls, or what is wrong with the call; undefined: it calls none. */
export function windowCalled({ exprKind }: Expression, measures: ReadonlySet<string>): Window | string | undefined {
  if (exprKind.case !== "callExpr") return undefined;
  const { function: name, target, args } = exprKind.value;
  if (target !== undefined || !WINDOW_FUNCTIONS.has(name)) return undefined;
  return windowOf(name, args.map(literalOf), measures);
}

/** The window that `text` calls, or what is wrong with it. */
export function parseWindow(text: string, measures: ReadonlySet<string>): Window | string {
  try {
    return windowCalled(parsed(text).expr, measures) ?? 'is no window: write it as a rule does, such as count("1h")';
  } catch (error) {
    if (error instanceof ConditionError) return error.message;
    throw error;
  }
}

/**
 * Puts the value of a window in place of each call of one, throughout the tree below `root`, which was checked. Returns the windows, each
 * once. So an evaluation has them as values, which were read before, and remains pure.
 */
export function takeWindows(root: Expression, measures: ReadonlySet<string>): readonly Window[] {
  const found = new Map<string, Window>();
  const waiting = [root];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const window = windowCalled(next, measures);
    if (typeof window === "object") {
      found.set(window.text, window);
      next.exprKind = readOf(window);
    } else {
      for (const [each] of below(next, OUTERMOST)) waiting.push(each);
    }
  }
  return [...found.values()];
}

/** What reads the value of `window`, as if a condition could say `@windows["…"]`. */
function readOf({ text }: Window): Expression["exprKind"] {
  const { expr } = parse(`windows[${JSON.stringify(text)}]`);
  if (expr?.exprKind.case !== "callExpr") throw new Error("an index is parsed as something else");
  const [variable] = expr.exprKind.value.args;
  if (variable?.exprKind.case !== "identExpr") throw new Error("a variable is parsed as something else");
  variable.exprKind.value.name = WINDOWS;
  return expr.exprKind;
}
