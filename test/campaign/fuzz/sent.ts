import { isUtf8 } from "node:buffer";
import canonicalize from "canonicalize";
import { Kind, parse, type ValueNode, valueFromASTUntyped, visit } from "graphql";

/** The values that were sent, each as RFC 8785 text, so that what a ledger has can be traced to them. */
export interface Sent {
  add(query: string, variables: unknown): void;
  /** Bytes of which nobody knows how the server reads them. */
  addText(text: string): void;
  has(value: unknown): boolean;
  readonly size: number;
}

/** Texts are compared in one normal form: names may be normalised. */
function keyOf(value: unknown): string | undefined {
  try {
    return canonicalize(value)?.normalize("NFC");
  } catch {
    // A lone surrogate has no RFC 8785 text; the server refuses it.
    return undefined;
  }
}

export function createSent(): Sent {
  const keys = new Set<string>();

  function addValue(value: unknown, depth = 0): void {
    if (depth > 200) return;
    const key = keyOf(value);
    if (key !== undefined) keys.add(key);
    if (typeof value === "object" && value !== null)
      for (const member of Object.values(value)) addValue(member, depth + 1);
  }

  function addLiterals(query: string): void {
    try {
      const constants = (node: ValueNode) => {
        if (node.kind !== Kind.VARIABLE) addValue(valueFromASTUntyped(node));
      };
      visit(parse(query, { maxTokens: 20_000 }), {
        enter: (node) => {
          if (node.kind === Kind.ARGUMENT || node.kind === Kind.OBJECT_FIELD) constants(node.value);
          if (node.kind === Kind.STRING) addValue(node.value);
        },
      });
    } catch {
      // What cannot be parsed is not executed.
    }
  }

  return {
    add(query, variables) {
      addLiterals(query);
      addValue(variables);
    },
    addText(text) {
      if (!isUtf8(Buffer.from(text))) return;
      try {
        const message = JSON.parse(text) as {
          readonly payload?: unknown;
          readonly query?: unknown;
          readonly variables?: unknown;
        };
        const payload = (message?.payload ?? message) as {
          readonly query?: unknown;
          readonly variables?: unknown;
        } | null;
        if (typeof payload?.query === "string") this.add(payload.query, payload.variables);
      } catch {
        // Not JSON: not executed.
      }
    },
    has(value) {
      const key = keyOf(value);
      return key !== undefined && keys.has(key);
    },
    get size() {
      return keys.size;
    },
  };
}
