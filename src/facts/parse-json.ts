import { type Node, parseTree } from "jsonc-parser";
import type { JsonValue } from "./canonical.ts";

/**
 * The value of JSON text (RFC 8259). Throws SyntaxError.
 *
 * Not JSON.parse alone: V8 returns a wrong name for a member whose name is written with an escape, once an object of the
 * same shape had a backslash in that name (https://github.com/nodejs/node/issues/63785). After `{"x":1,"\\":2}` it reads
 * `{"x":1,"\n":2}` as `{"x":1,"\\":2}`. Names without escapes are read right.
 */
export function parseJson(text: string): JsonValue {
  const value = JSON.parse(text) as JsonValue;
  return hasEscapedName(text) ? readAgain(text) : value;
}

/** Whether a member of the JSON `text` has a name that is written with an escape. */
export function hasEscapedName(text: string): boolean {
  // The last escape of a string, its end, and the colon that only a name has behind it.
  return /\\.[^"\\]*"\s*:/s.test(text);
}

/** Nesting beyond which the other parser, which is recursive, would take more stack than there may be. */
const MAX_DEPTH = 1_000;

/** How deep values are nested at most. `text` is JSON. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isText = false;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (isText) {
      if (unit === BACKSLASH) at += 1;
      else if (unit === QUOTE) isText = false;
    } else if (unit === QUOTE) isText = true;
    else if (unit === OPEN_ARRAY || unit === OPEN_OBJECT) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (unit === CLOSE_ARRAY || unit === CLOSE_OBJECT) depth -= 1;
  }
  return deepest;
}

const [QUOTE, BACKSLASH, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

/**
 * The same without V8's parser. `text` must be JSON: what else the other parser takes was refused before. Throws SyntaxError for what is nested
 * deeper than anything that is recorded.
 */
export function readAgain(text: string): JsonValue {
  if (depthOf(text) > MAX_DEPTH) throw new SyntaxError(`values are nested deeper than ${MAX_DEPTH}`);
  const tree = parseTree(text);
  if (tree === undefined) throw new SyntaxError("there is no JSON value");
  return toValue(tree);
}

function toValue({ type, children = [], value }: Node): JsonValue {
  if (type === "array") return children.map(toValue);
  if (type !== "object") return value as JsonValue;
  // From entries: `__proto__` is a name like any other.
  return Object.fromEntries(
    children.map(({ children: [name, member] = [] }) => [
      String(name?.value),
      member === undefined ? null : toValue(member),
    ]),
  );
}
