import { type ASTVisitor, getNamedType, isCompositeType, isIntrospectionType, type ValidationContext } from "graphql";
import { graphqlError } from "./errors.ts";

/** Lexical tokens a document may have; the parser gives up at the next one. */
export const MAX_TOKENS = 5_000;
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
