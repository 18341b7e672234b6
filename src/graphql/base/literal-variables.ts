import {
  type ASTNode,
  type ASTVisitor,
  type FragmentDefinitionNode,
  getNamedType,
  Kind,
  type OperationDefinitionNode,
  type ValidationContext,
  type VariableDefinitionNode,
  type VariableNode,
  visit,
} from "graphql";
import { graphqlError } from "./errors.ts";
import { survivesAsDouble } from "./exact-number.ts";

/** Types that hand a variable's value on as it came. Others change it: a UUID becomes lower-case, an ID text, one item a list. */
const FAITHFUL: ReadonlySet<string> = new Set(["JSON", "String", "Int", "Float", "Boolean"]);

function refusal(message: string) {
  return graphqlError("BAD_USER_INPUT", message, {
    http: { status: 400, spec: true },
  });
}

/** Whether a variable declared like this keeps the value that was sent, or that is its default. */
function isFaithful({ type, defaultValue }: VariableDefinitionNode): boolean {
  const named = type.kind === Kind.NON_NULL_TYPE ? type.type : type;
  if (named.kind !== Kind.NAMED_TYPE || !FAITHFUL.has(named.name.value)) return false;
  const isNumber = defaultValue?.kind === Kind.INT || defaultValue?.kind === Kind.FLOAT;
  return !isNumber || survivesAsDouble(defaultValue.value);
}

/**
 * A validation rule: what is recorded is what was proposed. A variable inside a JSON literal is refused unless its type
 * leaves its value alone; whether it was given a value is found out when it is used.
 */
export function FaithfulJsonRule(context: ValidationContext): ASTVisitor {
  /** Variables inside JSON literals, by the operation or fragment they are written in. */
  const used = new Map<OperationDefinitionNode | FragmentDefinitionNode, VariableNode[]>();
  let within: OperationDefinitionNode | FragmentDefinitionNode | undefined;

  const collect = (literal: ASTNode): false | undefined => {
    if (getNamedType(context.getInputType())?.name !== "JSON") return undefined;
    const variables = (within && used.get(within)) ?? [];
    visit(literal, { Variable: (variable) => void variables.push(variable) });
    if (within !== undefined) used.set(within, variables);
    return false;
  };
  const enter = (definition: OperationDefinitionNode | FragmentDefinitionNode) => {
    within = definition;
  };

  return {
    OperationDefinition: { enter },
    FragmentDefinition: { enter },
    ListValue: { enter: collect },
    ObjectValue: { enter: collect },
    Document: {
      leave({ definitions }) {
        for (const operation of definitions) {
          if (operation.kind !== Kind.OPERATION_DEFINITION) continue;
          const declared = new Map(operation.variableDefinitions?.map((one) => [one.variable.name.value, one]));
          const parts = [operation, ...context.getRecursivelyReferencedFragments(operation)];
          for (const variable of parts.flatMap((part) => used.get(part) ?? [])) {
            const definition = declared.get(variable.name.value);
            if (definition === undefined || isFaithful(definition)) continue;
            context.reportError(unfaithful(variable));
          }
        }
      },
    },
  };
}

function unfaithful({ name }: VariableNode) {
  return refusal(
    `$${name.value} inside a JSON literal could be recorded as another value. Pass the whole JSON value as one variable of type JSON.`,
  );
}

/** A validation rule: no variable has the name of what every object of the executor has already, such as `__proto__`. */
export function VariableNameRule(context: ValidationContext): ASTVisitor {
  return {
    VariableDefinition({ variable: { name } }) {
      if (!(name.value in Object.prototype)) return;
      context.reportError(refusal(`A variable cannot be named $${name.value}. Choose another name.`));
    },
  };
}
