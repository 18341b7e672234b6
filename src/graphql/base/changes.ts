import type { ExecutionArgs, FieldNode, GraphQLSchema, SelectionSetNode, ValueNode } from "graphql";
import { getNamedType, getNullableType, getOperationAST, isInputObjectType, isListType, Kind } from "graphql";

/**
 * How many changes a mutation asks for, at least one: one for each field at its root, or for each member of the longest list in its
 * input, which is a batch.
 */
export function changesIn({ schema, document, operationName, variableValues }: ExecutionArgs): number {
  const operation = getOperationAST(document, operationName);
  if (operation === null || operation === undefined) return 1;
  const fragments = new Map<string, SelectionSetNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition.selectionSet);
  }
  const count = ({ selections }: SelectionSetNode): number =>
    selections.reduce((sum, selection) => {
      if (selection.kind === Kind.FIELD) return sum + Math.max(1, ...longestOf(selection, schema, variableValues));
      if (selection.kind === Kind.INLINE_FRAGMENT) return sum + count(selection.selectionSet);
      const set = fragments.get(selection.name.value);
      return set === undefined ? sum : sum + count(set);
    }, 0);
  return Math.max(1, count(operation.selectionSet));
}

type Variables = ExecutionArgs["variableValues"];

/** Lengths of the lists that are members of the arguments of a field. Lists within JSON are values, however long. */
function longestOf({ name, arguments: given = [] }: FieldNode, schema: GraphQLSchema, variables: Variables): number[] {
  const known = schema.getMutationType()?.getFields()[name.value]?.args ?? [];
  return given.flatMap((argument) => {
    const type = known.find((one) => one.name === argument.name.value)?.type;
    const named = type && getNamedType(type);
    if (!isInputObjectType(named)) return [];
    const lists = Object.values(named.getFields()).filter((member) => isListType(getNullableType(member.type)));
    return lists.map((member) => lengthOf(memberOf(argument.value, member.name, variables), variables));
  });
}

/** A member of an input, written out or in a variable. */
function memberOf(input: ValueNode, name: string, variables: Variables): ValueNode | unknown {
  if (input.kind === Kind.OBJECT) return input.fields.find((field) => field.name.value === name)?.value;
  const value = input.kind === Kind.VARIABLE ? variables?.[input.name.value] : undefined;
  return (value as Readonly<Record<string, unknown>> | null | undefined)?.[name];
}

function lengthOf(member: ValueNode | unknown, variables: Variables): number {
  if (Array.isArray(member)) return member.length;
  const node = member as ValueNode | null | undefined;
  if (node?.kind === Kind.LIST) return node.values.length;
  return node?.kind === Kind.VARIABLE ? lengthOf(variables?.[node.name.value], undefined) : 1;
}
