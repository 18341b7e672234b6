import type { parse } from "@bufbuild/cel";

/** A node of the tree that a condition is parsed into. */
export type Expression = NonNullable<ReturnType<typeof parse>["expr"]>;

/** Where in the tree an expression is. */
export interface Scope {
  /** The names that comprehensions around it bind. */
  readonly names: ReadonlySet<string>;
  /** How many those are. */
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
