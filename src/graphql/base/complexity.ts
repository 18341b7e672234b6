import { createComplexityRule } from "@pothos/plugin-complexity";
import { type DocumentNode, type GraphQLError, type GraphQLSchema, Kind, type TypeNode, validate } from "graphql";
import { LRUCache } from "lru-cache";
import { graphqlError } from "./errors.ts";

/** What one operation may cost. A field costs 1; what a list holds costs as often as the list may be long. */
export const MAX_COMPLEXITY = 50_000;

/** Verdicts by document. Documents are cached by their text, so a repeated one is found here. */
const verdicts = new WeakMap<DocumentNode, LRUCache<string, readonly GraphQLError[]>>();
const integers = new WeakMap<DocumentNode, readonly string[]>();

/** Names of the variables a cost can depend on: costs are made of `first` and its like, which are all Int. */
function integerVariables(document: DocumentNode): readonly string[] {
  let names = integers.get(document);
  if (names === undefined) {
    names = document.definitions.flatMap((definition) =>
      definition.kind === Kind.OPERATION_DEFINITION
        ? (definition.variableDefinitions ?? [])
            .filter(({ type }) => isInt(type))
            .map(({ variable }) => variable.name.value)
        : [],
    );
    integers.set(document, names);
  }
  return names;
}

function isInt(type: TypeNode): boolean {
  return type.kind === Kind.NON_NULL_TYPE
    ? isInt(type.type)
    : type.kind === Kind.NAMED_TYPE && type.name.value === "Int";
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
  const key = JSON.stringify([operationName, integerVariables(document).map((name) => variables[name])]);
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
