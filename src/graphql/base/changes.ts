import type { ArgumentNode, ExecutionArgs, SelectionSetNode, ValueNode } from "graphql";
import { getOperationAST, Kind } from "graphql";

/**
 * How many changes a mutation asks for, at least one: one for each field at its root, or for each member of the longest list in its
 * input, which is a batch.
 */
export function changesIn({ document, operationName, variableValues }: ExecutionArgs): number {
  const operation = getOperationAST(document, operationName);
  if (operation === null || operation === undefined) return 1;
  const fragments = new Map<string, SelectionSetNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition.selectionSet);
  }
  const count = ({ selections }: SelectionSetNode): number =>
    selections.reduce((sum, selection) => {
      if (selection.kind === Kind.FIELD) return sum + Math.max(1, ...longestOf(selection.arguments, variableValues));
      if (selection.kind === Kind.INLINE_FRAGMENT) return sum + count(selection.selectionSet);
      const set = fragments.get(selection.name.value);
      return set === undefined ? sum : sum + count(set);
    }, 0);
  return Math.max(1, count(operation.selectionSet));
}

type Variables = ExecutionArgs["variableValues"];

/** Lengths of the lists that are members of the arguments of a field. */
function longestOf(given: readonly ArgumentNode[] = [], variables: Variables): number[] {
  return given.flatMap(({ value }) => {
    if (value.kind === Kind.OBJECT) return value.fields.map((field) => lengthOf(field.value, variables));
    if (value.kind !== Kind.VARIABLE) return [];
    const input = variables?.[value.name.value];
    if (typeof input !== "object" || input === null) return [];
    return Object.values(input).map((member) => (Array.isArray(member) ? member.length : 1));
  });
}

function lengthOf(value: ValueNode, variables: Variables): number {
  if (value.kind === Kind.LIST) return value.values.length;
  if (value.kind !== Kind.VARIABLE) return 1;
  const member = variables?.[value.name.value];
  return Array.isArray(member) ? member.length : 1;
}
