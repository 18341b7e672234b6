import { celEnv, type parse } from "@bufbuild/cel";
import { FUNCTIONS } from "./functions.ts";
import { VARIABLES } from "./variables.ts";

export type Expression = NonNullable<ReturnType<typeof parse>["expr"]>;

/** UTF-16 code units of a condition. */
export const MAX_CONDITION = 4_096;
/** Nodes of its tree, macros expanded: each is visited at most as often as the list of a comprehension has elements. */
const MAX_NODES = 500;

export const ENVIRONMENT = celEnv({ funcs: [...FUNCTIONS] });

/** What the parser makes of operators that are not functions of the environment. */
const OPERATORS: ReadonlySet<string> = new Set(["_&&_", "_||_", "_?_:_", "_[_]", "@not_strictly_false"]);

/** What is wrong with a condition; `offset` counts UTF-16 code units of its text, from 0. */
export class ConditionError extends Error {
  override readonly name = "ConditionError";
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

interface Scope {
  readonly names: ReadonlySet<string>;
  readonly comprehensions: number;
}

/** The expressions directly below `expression`, each with the scope it is in. */
export function* below({ exprKind }: Expression, scope: Scope): Generator<readonly [Expression, Scope]> {
  const found: (readonly [Expression | undefined, Scope])[] = [];
  switch (exprKind.case) {
    case "selectExpr":
      found.push([exprKind.value.operand, scope]);
      break;
    case "callExpr":
      found.push([exprKind.value.target, scope], ...exprKind.value.args.map((each) => [each, scope] as const));
      break;
    case "listExpr":
      found.push(...exprKind.value.elements.map((each) => [each, scope] as const));
      break;
    case "structExpr":
      for (const { keyKind, value } of exprKind.value.entries) {
        if (keyKind.case === "mapKey") found.push([keyKind.value, scope]);
        found.push([value, scope]);
      }
      break;
    case "comprehensionExpr": {
      const { iterRange, iterVar, iterVar2, accuVar, accuInit, loopCondition, loopStep, result } = exprKind.value;
      const names = new Set([...scope.names, iterVar, iterVar2, accuVar]);
      const inner = { names, comprehensions: scope.comprehensions + 1 };
      found.push([iterRange, scope], [accuInit, scope]);
      found.push([loopCondition, inner], [loopStep, inner], [result, inner]);
      break;
    }
    default:
  }
  for (const [each, its] of found) if (each !== undefined) yield [each, its];
}

export const OUTERMOST: Scope = { names: new Set(), comprehensions: 0 };

const listed = (names: Iterable<string>) => [...names].join(", ");

/** Why `expression`, without those below it, is not allowed; undefined: it is. */
function problemOf({ exprKind }: Expression, { names, comprehensions }: Scope): string | undefined {
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

/** Throws ConditionError for the first thing in the tree that a condition must not have. */
export function checkExpression(root: Expression, offsetOf: (expression: Expression) => number): void {
  const waiting: (readonly [Expression, Scope])[] = [[root, OUTERMOST]];
  for (let count = 1; ; count += 1) {
    const next = waiting.pop();
    if (next === undefined) return;
    const [expression, scope] = next;
    const problem =
      count > MAX_NODES
        ? `has more than ${MAX_NODES} parts: split it into several rules`
        : problemOf(expression, scope);
    if (problem !== undefined) throw new ConditionError(problem, offsetOf(expression));
    waiting.push(...[...below(expression, scope)].reverse());
  }
}
