import { createComplexityRule } from "@pothos/plugin-complexity";
import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  getNullableType,
  isInputObjectType,
  isListType,
  Kind,
  type TypeNode,
  validate,
} from "graphql";
import { LRUCache } from "lru-cache";
import { graphqlError } from "./errors.ts";

/** What one operation may cost. A field costs 1; what a list holds costs as often as the list may be long. */
export const MAX_COMPLEXITY = 50_000;

/** Verdicts by document. Documents are cached by their text, so a repeated one is found here. */
const verdicts = new WeakMap<DocumentNode, LRUCache<string, readonly GraphQLError[]>>();
/** By document: the part of a variable's value that a cost can depend on, for the variables that have one. */
const measures = new WeakMap<DocumentNode, readonly Measure[]>();

type Measure = (variables: Readonly<Record<string, unknown>>) => unknown;

/**
 * What costs can depend on: `first` and its like, which are Int, the length of a list, and the lengths of the lists that are
 * members of an input object.
 */
function measuresOf(schema: GraphQLSchema, document: DocumentNode): readonly Measure[] {
  let found = measures.get(document);
  if (found === undefined) {
    found = document.definitions.flatMap((definition) =>
      definition.kind === Kind.OPERATION_DEFINITION
        ? (definition.variableDefinitions ?? []).flatMap(({ variable, type }) => {
            const measure = measureOf(schema, type);
            return measure === undefined
              ? []
              : [(variables: Readonly<Record<string, unknown>>) => measure(variables[variable.name.value])];
          })
        : [],
    );
    measures.set(document, found);
  }
  return found;
}

function measureOf(schema: GraphQLSchema, type: TypeNode): ((value: unknown) => unknown) | undefined {
  if (type.kind === Kind.NON_NULL_TYPE) return measureOf(schema, type.type);
  if (type.kind === Kind.LIST_TYPE) return lengthOf;
  if (type.name.value === "Int") return (value) => value;
  const named = schema.getType(type.name.value);
  if (!isInputObjectType(named)) return undefined;
  const lists = Object.values(named.getFields()).filter((field) => isListType(getNullableType(field.type)));
  if (lists.length === 0) return undefined;
  return (value) => lists.map(({ name }) => lengthOf((Object(value) as Readonly<Record<string, unknown>>)[name]));
}

/** A value where a list is wanted is a list of one. */
function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 1;
}

/**
 * Why `document` costs too much with these variables; empty when it does not. Done after validation and not as a part of
 * it: what validation finds is remembered by document, whatever its variables.
 */
export function checkComplexity(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | undefined,
  variables: Readonly<Record<string, unknown>>,
  context: object,
): readonly GraphQLError[] {
  const key = JSON.stringify([operationName, measuresOf(schema, document).map((measure) => measure(variables))]);
  let known = verdicts.get(document);
  if (known === undefined) {
    known = new LRUCache({ max: 50 });
    verdicts.set(document, known);
  }
  let errors = known.get(key);
  if (errors === undefined) {
    const found = validate(schema, document, [rule(operationName, variables, context)]);
    errors = found.filter(isVerdict);
    // Variables that do not fit leave the cost unknown, and would leave it so for others that do.
    if (errors.length === found.length) known.set(key, errors);
  }
  return errors;
}

/** Variables that do not fit are the executor's to refuse, with better words. */
function isVerdict({ extensions }: GraphQLError): boolean {
  return extensions.code === "QUERY_TOO_COMPLEX";
}

function rule(operationName: string | undefined, variables: Readonly<Record<string, unknown>>, context: object) {
  return createComplexityRule({
    context,
    variableValues: { ...variables },
    operationName: operationName ?? null,
    validate: ({ complexity }, report) => {
      if (complexity <= MAX_COMPLEXITY) return;
      const message = `The operation may cost ${complexity}; the limit is ${MAX_COMPLEXITY}. Ask for fewer at a time.`;
      report(graphqlError("QUERY_TOO_COMPLEX", message));
    },
  });
}
