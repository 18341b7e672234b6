import {
  type ASTVisitor,
  type DocumentNode,
  type FragmentDefinitionNode,
  getNamedType,
  isCompositeType,
  isIntrospectionType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
} from "graphql";
import { graphqlError } from "./errors.ts";

/** Lexical tokens a document may have; the parser gives up at the next one. */
export const MAX_TOKENS = 5_000;
/** Nested selections an operation may have; introspection does not count. */
export const MAX_SELECTION_DEPTH = 12;
/** Aliases an operation may have, those of the fragments it spreads counted at every spread. */
export const MAX_ALIASES = 30;
/** Fields an operation may have at its root. */
export const MAX_ROOT_FIELDS = 20;
/** Fields an operation may have once its fragments are spread out: what bounds everything that walks it. */
export const MAX_FIELDS = 5_000;

/** Brackets of any kind that may be open at a time in a document, which is how deep whatever walks it may have to go. */
export const MAX_BRACKETS = 100;

/** Throws QUERY_TOO_COMPLEX for a document so deep that parsing it could exhaust the stack. */
export function checkBrackets(source: string): void {
  let open = 0;
  for (let at = 0; at < source.length; at++) {
    const character = source[at];
    if (character === '"') at = source.startsWith('"""', at) ? endOfBlock(source, at) : endOfString(source, at);
    else if (character === "#") at = endOfLine(source, at);
    else if (character === "(" || character === "[" || character === "{") open += 1;
    else if (character === ")" || character === "]" || character === "}") open -= 1;
    if (open > MAX_BRACKETS) {
      throw graphqlError("QUERY_TOO_COMPLEX", `The document is nested deeper than ${MAX_BRACKETS} brackets.`);
    }
  }
}

function endOfLine(source: string, start: number): number {
  let at = start;
  while (at < source.length && source[at] !== "\n" && source[at] !== "\r") at++;
  return at;
}

/** The end of the string that begins at `start`, or of its line: no string continues on the next line. */
function endOfString(source: string, start: number): number {
  let at = start + 1;
  while (at < source.length && source[at] !== '"' && source[at] !== "\n" && source[at] !== "\r") {
    at += source[at] === "\\" ? 2 : 1;
  }
  return at;
}

function endOfBlock(source: string, start: number): number {
  for (let from = start + 3; ; ) {
    const quotes = source.indexOf('"""', from);
    if (quotes === -1) return source.length;
    if (source[quotes - 1] !== "\\") return quotes + 2;
    from = quotes + 3;
  }
}

/** What an operation or a fragment amounts to with every fragment in it spread out. */
interface Size {
  readonly depth: number;
  readonly aliases: number;
  readonly rootFields: number;
  readonly fields: number;
}
const nothing: Size = { depth: 0, aliases: 0, rootFields: 0, fields: 0 };

/** Measures each fragment once, so that a document in which fragments double at every level costs no more than its text. */
function createMeasure(document: DocumentNode): (set: SelectionSetNode) => Size {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const measured = new Map<string, Size>();

  const measureFragment = (name: string): Size => {
    const known = measured.get(name);
    if (known !== undefined) return known;
    measured.set(name, nothing); // a cycle ends here; another rule refuses it
    const fragment = fragments.get(name);
    const size = fragment === undefined ? nothing : measure(fragment.selectionSet);
    measured.set(name, size);
    return size;
  };

  const measure = (set: SelectionSetNode): Size => {
    let { depth, aliases, rootFields, fields } = nothing;
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        rootFields += 1;
        fields += 1;
        if (selection.alias !== undefined) aliases += 1;
        const within = selection.selectionSet === undefined ? nothing : measure(selection.selectionSet);
        const exempt = selection.name.value.startsWith("__");
        depth = Math.max(depth, exempt ? 0 : within.depth + 1);
        aliases += within.aliases;
        fields += within.fields;
      } else {
        const within =
          selection.kind === Kind.FRAGMENT_SPREAD
            ? measureFragment(selection.name.value)
            : measure(selection.selectionSet);
        depth = Math.max(depth, within.depth);
        aliases += within.aliases;
        rootFields += within.rootFields;
        fields += within.fields;
      }
    }
    return { depth, aliases, rootFields, fields };
  };
  return measure;
}

function excess({ depth, aliases, rootFields, fields }: Size): string | undefined {
  if (depth > MAX_SELECTION_DEPTH) return `selections are nested ${depth} deep; the limit is ${MAX_SELECTION_DEPTH}`;
  if (aliases > MAX_ALIASES) return `${aliases} aliases; the limit is ${MAX_ALIASES}`;
  if (rootFields > MAX_ROOT_FIELDS) return `${rootFields} fields at the root; the limit is ${MAX_ROOT_FIELDS}`;
  return fields > MAX_FIELDS ? `${fields} fields; the limit is ${MAX_FIELDS}` : undefined;
}

/** A validation rule: QUERY_TOO_COMPLEX for an operation larger than the limits above. */
export function SizeLimitRule(context: ValidationContext): ASTVisitor {
  const measure = createMeasure(context.getDocument());
  return {
    OperationDefinition(operation: OperationDefinitionNode) {
      const problem = excess(measure(operation.selectionSet));
      if (problem !== undefined)
        context.reportError(graphqlError("QUERY_TOO_COMPLEX", `The operation is too large: ${problem}.`));
    },
  };
}

/** A validation rule: a string literal with U+0000, which PostgreSQL's text cannot hold, is refused as in JSON. */
export function NoNulRule(context: ValidationContext): ASTVisitor {
  return {
    StringValue(node) {
      if (node.value.includes("\0")) {
        context.reportError(
          graphqlError("BAD_USER_INPUT", "A string holds U+0000, which cannot be stored.", {
            http: { status: 400, spec: false },
          }),
        );
      }
    },
  };
}

/**
 * A validation rule for callers without a token: they may ask what a named type is, and not what it is made of, nor what
 * types there are.
 */
export function ShallowIntrospectionRule(context: ValidationContext): ASTVisitor {
  let refused = false;
  return {
    Field(node) {
      const parent = context.getParentType();
      const opensSchema = node.name.value === "__schema";
      const goesDeeper = parent && isIntrospectionType(parent) && isCompositeType(getNamedType(context.getType()));
      if (refused || !(opensSchema || goesDeeper)) return;
      refused = true;
      const http = { status: 401, spec: false };
      context.reportError(graphqlError("UNAUTHENTICATED", "Sign in to read the schema.", { http }));
    },
  };
}
