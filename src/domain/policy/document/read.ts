import { type Document, isAlias, isCollection, isMap, isNode, isScalar, LineCounter, parseDocument, visit } from "yaml";
import { canonicalize, type JsonValue, NotCanonicalError } from "../../../facts/canonical.ts";
import { type Hash, hashText } from "../../../facts/hash.ts";
import { isStorable } from "../../../facts/text.ts";
import type { Place } from "../../../json-text.ts";
import { PolicyDocumentError, problemAt } from "./problems.ts";
import { type PolicyDocument, policySchema } from "./schema.ts";

/** UTF-16 code units of a document. */
export const MAX_DOCUMENT = 256 * 1024;

export interface ReadPolicy {
  readonly document: PolicyDocument;
  /** SHA-256 of the RFC 8785 form of the value that was read. */
  readonly hash: Hash;
  /** Where the value at `path` is written, or the nearest one around it. */
  placeOf(path: readonly PropertyKey[]): Place;
}

type Places = (offset: number) => Place;

const fail = (message: string, place?: Place): never => {
  throw new PolicyDocumentError([{ message, ...place }]);
};

function parse(text: string): { readonly yaml: Document.Parsed; readonly placeAt: Places } {
  if (text.length > MAX_DOCUMENT) fail(`is longer than ${MAX_DOCUMENT} characters`);
  if (!isStorable(text)) fail("has characters that cannot be stored: U+0000 or half of a surrogate pair");
  const lineCounter = new LineCounter();
  const placeAt: Places = (offset) => {
    const { line, col } = lineCounter.linePos(offset);
    return { line, column: col };
  };
  let yaml: Document.Parsed;
  try {
    // The core schema: no dates, no merge keys, nothing but what JSON has. JSON is YAML.
    yaml = parseDocument(text, {
      version: "1.2",
      schema: "core",
      strict: true,
      uniqueKeys: true,
      stringKeys: true,
      prettyErrors: false,
      lineCounter,
    });
  } catch (error) {
    if (error instanceof RangeError) return fail("is nested too deep");
    throw error;
  }
  // Of an unknown tag it only warns.
  const [first] = [...yaml.errors, ...yaml.warnings].sort((one, other) => one.pos[0] - other.pos[0]);
  if (first !== undefined) fail(`is not YAML: ${first.message}`, placeAt(first.pos[0]));
  return { yaml, placeAt };
}

/** What YAML has and JSON has not, or what JavaScript would read as something else. */
function checkNodes(yaml: Document.Parsed, placeAt: Places): void {
  visit(yaml, {
    Node(_, node) {
      const place = placeAt(node.range?.[0] ?? 0);
      if (isAlias(node) || ("anchor" in node && node.anchor !== undefined)) {
        return fail("has an anchor or an alias: write the value out", place);
      }
      if (!isScalar(node) || typeof node.value !== "number") return undefined;
      if (!Number.isFinite(node.value)) fail("has a number that JSON has not", place);
      if (Number.isInteger(node.value) && !Number.isSafeInteger(node.value)) {
        fail("has an integer beyond 2^53 - 1, which would be rounded: write it as a text", place);
      }
      return undefined;
    },
    Pair(_, { key }) {
      if (isScalar(key) && key.value === "__proto__") fail("has a member __proto__", placeAt(key.range?.[0] ?? 0));
    },
  });
}

/**
 * Reads a policy document in YAML 1.2 or JSON. Throws PolicyDocumentError with every problem of the first kind that there is: the notation,
 * or members and their values.
 */
export function readPolicy(text: string): ReadPolicy {
  const { yaml, placeAt } = parse(text);
  checkNodes(yaml, placeAt);
  let value: JsonValue;
  try {
    value = yaml.toJS({ maxAliasCount: 0 }) as JsonValue;
  } catch (error) {
    if (error instanceof RangeError) return fail("is nested too deep");
    throw error;
  }
  const placeOf = (path: readonly PropertyKey[]) => {
    let node: unknown = yaml.contents;
    let at = isNode(node) ? node.range?.[0] : undefined;
    for (const name of path) {
      if (!isCollection(node)) break;
      node = isMap(node) ? node.get(String(name), true) : node.get(name, true);
      at = isNode(node) ? (node.range?.[0] ?? at) : at;
    }
    return placeAt(at ?? 0);
  };
  const result = policySchema.safeParse(value);
  if (!result.success) {
    const problems = result.error.issues.map(({ path, message }) => problemAt(path, message, placeOf));
    throw new PolicyDocumentError(problems);
  }
  try {
    return { document: result.data, hash: hashText(canonicalize(value)), placeOf };
  } catch (error) {
    if (error instanceof NotCanonicalError) return fail(error.message, placeOf(error.path));
    throw error;
  }
}
