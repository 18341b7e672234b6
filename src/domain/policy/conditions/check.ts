import { celEnv } from "@bufbuild/cel";
import { FUNCTIONS } from "./functions.ts";
import { ConditionError } from "./parse.ts";
import { below, type Expression, OUTERMOST, type Scope } from "./tree.ts";
import { VARIABLES } from "./variables.ts";
import { windowCalled } from "./windows.ts";

/** Elements of a list that a condition reads at most. */
export const MAX_LIST = 1_000;
/** Nodes of its tree, macros expanded: each is visited at most as often as the list of a comprehension has elements. */
const MAX_NODES = 500;

export const ENVIRONMENT = celEnv({ funcs: [...FUNCTIONS] });

/** What the parser makes of operators that are not functions of the environment. */
const OPERATORS: ReadonlySet<string> = new Set(["_&&_", "_||_", "_?_:_", "_[_]", "@not_strictly_false"]);

const listed = (names: Iterable<string>) => [...names].join(", ");

/** Why `expression`, without those below it, is not allowed; undefined: it is. */
function problemOf(
  expression: Expression,
  { names, comprehensions }: Scope,
  measures: ReadonlySet<string>,
): string | undefined {
  const { exprKind } = expression;
  switch (exprKind.case) {
    case "identExpr": {
      const { name } = exprKind.value;
      if (names.has(name) || VARIABLES.has(name)) return undefined;
      return `there is no variable ${name}; there are ${listed(VARIABLES.keys())}`;
    }
    case "selectExpr": {
      const { operand, field } = exprKind.value;
      if (operand?.exprKind.case !== "identExpr" || names.has(operand.exprKind.value.name)) return undefined;
      const { name } = operand.exprKind.value;
      const members = VARIABLES.get(name);
      if (members === undefined || members.includes(field)) return undefined;
      return members.length === 0
        ? `${name} has no members`
        : `${name} has no member ${field}; it has ${listed(members)}`;
    }
    case "callExpr": {
      const { function: name } = exprKind.value;
      const window = windowCalled(expression, measures);
      if (window !== undefined) return typeof window === "string" ? window : undefined;
      return OPERATORS.has(name) || ENVIRONMENT.funcs.find(name) !== undefined
        ? undefined
        : `there is no function ${name}`;
    }
    case "structExpr":
      return exprKind.value.messageName === "" ? undefined : `there is no type ${exprKind.value.messageName}`;
    case "comprehensionExpr":
      return comprehensions > 0
        ? "a list is gone through within another one, which could take too long: use one of all, exists, filter or map only"
        : undefined;
    default:
      return undefined;
  }
}

/** What a pattern costs each time, in parts: it is compiled again and again. */
const PATTERN_COST = 50;

function costOf({ exprKind }: Expression, { comprehensions }: Scope): number {
  const once = exprKind.case === "callExpr" && exprKind.value.function === "matches" ? PATTERN_COST : 1;
  return comprehensions > 0 ? once * MAX_LIST : once;
}

/**
 * Throws ConditionError for the first thing in the tree that a condition must not have. Returns how many parts are evaluated at most, for the longest
 * list that may be read. `measures`: the names of those that its document declares.
 */
export function checkExpression(
  root: Expression,
  offsetOf: (expression: Expression) => number,
  measures: ReadonlySet<string>,
): number {
  let cost = 0;
  const waiting: (readonly [Expression, Scope])[] = [[root, OUTERMOST]];
  for (let count = 1; ; count += 1) {
    const next = waiting.pop();
    if (next === undefined) return cost;
    const [expression, scope] = next;
    cost += costOf(expression, scope);
    const problem =
      count > MAX_NODES
        ? `has more than ${MAX_NODES} parts: split it into several rules`
        : problemOf(expression, scope, measures);
    if (problem !== undefined) throw new ConditionError(problem, offsetOf(expression));
    waiting.push(...[...below(expression, scope)].reverse());
  }
}
