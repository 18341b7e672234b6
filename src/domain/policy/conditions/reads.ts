import type { JsonValue } from "../../../facts/canonical.ts";
import { below, type Expression, OUTERMOST } from "./tree.ts";
import { VARIABLES } from "./variables.ts";
import { WINDOWS } from "./windows.ts";

/** The way to a value that a condition reads: a variable, then names of members. */
export type Path = readonly string[];

/** The path of `expression`, when it is a variable or a member of one, with names that are known before evaluation. */
function pathOf({ exprKind }: Expression, bound: ReadonlySet<string>): Path | undefined {
  if (exprKind.case === "identExpr") {
    const { name } = exprKind.value;
    return !bound.has(name) && (VARIABLES.has(name) || name === WINDOWS) ? [name] : undefined;
  }
  if (exprKind.case === "selectExpr" && exprKind.value.operand !== undefined) {
    const path = pathOf(exprKind.value.operand, bound);
    return path && [...path, exprKind.value.field];
  }
  if (exprKind.case === "callExpr" && exprKind.value.function === "_[_]") {
    const [operand, index] = exprKind.value.args;
    const path = operand && pathOf(operand, bound);
    if (path === undefined || index?.exprKind.case !== "constExpr") return undefined;
    const { constantKind } = index.exprKind.value;
    if (constantKind.case === "stringValue") return [...path, constantKind.value];
    return constantKind.case === "int64Value" ? [...path, String(constantKind.value)] : undefined;
  }
  return undefined;
}

/** The values that the tree reads, each path once, in the order of the text. */
export function readsOf(root: Expression): readonly Path[] {
  const found = new Map<string, Path>();
  const visit = (expression: Expression, scope = OUTERMOST) => {
    const path = pathOf(expression, scope.names);
    if (path !== undefined) found.set(path.join("\0"), path);
    else for (const [each, its] of below(expression, scope)) visit(each, its);
  };
  visit(root);
  return [...found.values()];
}

/** The value at `path`; undefined: there is none. */
export function valueAtPath(values: JsonValue, path: Path): JsonValue | undefined {
  let value: JsonValue | undefined = values;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as { readonly [name: string]: JsonValue })[name];
  }
  return value;
}

/** `args.items[0]`, as people write it. */
export function describePath(path: Path): string {
  if (path[0] === WINDOWS && path[1] !== undefined) return path[1];
  return path.reduce((text, name) => {
    if (/^\d+$/.test(name)) return `${text}[${name}]`;
    if (/^[A-Za-z_]\w*$/.test(name)) return text === "" ? name : `${text}.${name}`;
    return `${text}[${JSON.stringify(name)}]`;
  }, "");
}
