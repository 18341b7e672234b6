import { type Document, isAlias, isCollection, isMap, isNode, isScalar, LineCounter, parseDocument, visit } from "yaml";
import { canonicalize, type JsonValue, NotCanonicalError } from "../../../facts/canonical.ts";
import { type Hash, hashText } from "../../../facts/hash.ts";
import { isStorable } from "../../../facts/text.ts";
import type { Place } from "../../../json-text.ts";
import { LISTED, PolicyDocumentError, problemAt } from "./problems.ts";
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

const TOO_DEEP = "is nested too deep";
const NOT_STORABLE = "has characters that cannot be stored: U+0000 or half of a surrogate pair";

const fail = (message: string, place?: Place): never => {
  throw new PolicyDocumentError([{ message, ...place }]);
};

function parse(text: string): { readonly yaml: Document.Parsed; readonly placeAt: Places } {
  if (text.length > MAX_DOCUMENT) fail(`is longer than ${MAX_DOCUMENT} characters`);
  if (!isStorable(text)) fail(NOT_STORABLE);
  const lineCounter = new LineCounter();
  const placeAt: Places = (offset) => {
    const { line, col } = lineCounter.linePos(offset);
    return { line, column: col };
  };
  // The core schema: no dates, no merge keys, nothing but what JSON has. JSON is YAML.
  const yaml = parseDocument(text, {
    version: "1.2",
    schema: "core",
    strict: true,
    // Each key would be compared with every other one: `checkNodes` has a set of them.
    uniqueKeys: false,
    stringKeys: true,
    prettyErrors: false,
    lineCounter,
  });
  // Of an unknown tag it only warns.
  const [first] = [...yaml.errors, ...yaml.warnings].sort((one, other) => one.pos[0] - other.pos[0]);
  if (first !== undefined) {
    // The parser makes an error like any other of a stack that is full.
    const isTooDeep = /^Maximum call stack|Stack overflow$/.test(first.message);
    fail(isTooDeep ? TOO_DEEP : `is not YAML: ${first.message}`, placeAt(first.pos[0]));
  }
  return { yaml, placeAt };
}

/** What `read` returns. A stack that is full is a problem of the document. */
function withinStack<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return fail(TOO_DEEP);
    throw error;
  }
}

/** What YAML has and JSON has not, what JavaScript would read as something else, and what no entry could quote. */
function checkNodes(yaml: Document.Parsed, placeAt: Places): void {
  visit(yaml, {
    Node(_, node) {
      const place = placeAt(node.range?.[0] ?? 0);
      if (isAlias(node) || ("anchor" in node && node.anchor !== undefined)) {
        return fail("has an anchor or an alias: write the value out", place);
      }
      if (!isScalar(node)) return undefined;
      // Written as an escape, which the text of the document can have.
      if (typeof node.value === "string" && !isStorable(node.value)) fail(NOT_STORABLE, place);
      if (typeof node.value !== "number") return undefined;
      if (!Number.isFinite(node.value)) fail("has a number that JSON has not", place);
      if (Number.isInteger(node.value) && !Number.isSafeInteger(node.value)) {
        fail("has an integer beyond 2^53 - 1, which would be rounded: write it as a text", place);
      }
      return undefined;
    },
    Map(_, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const place = () => placeAt(key.range?.[0] ?? 0);
        if (key.value === "__proto__") fail("has a member __proto__", place());
        if (seen.has(key.value)) fail(`has the member ${JSON.stringify(key.value)} twice`, place());
        seen.add(key.value);
      }
    },
  });
}

/**
 * Reads a policy document in YAML 1.2 or JSON. Throws PolicyDocumentError with every problem of the first kind that there is: the notation,
 * or members and their values.
 */
export function readPolicy(text: string): ReadPolicy {
  const { yaml, placeAt } = withinStack(() => parse(text));
  const value = withinStack(() => {
    checkNodes(yaml, placeAt);
    return yaml.toJS({ maxAliasCount: 0 }) as JsonValue;
  });
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
    const problems = result.error.issues.slice(0, LISTED).map(({ path, message }) => problemAt(path, message, placeOf));
    throw new PolicyDocumentError(problems);
  }
  try {
    return { document: result.data, hash: hashText(canonicalize(value)), placeOf };
  } catch (error) {
    if (error instanceof NotCanonicalError) return fail(error.message, placeOf(error.path));
    throw error;
  }
}
