/**
 * RFC 8785 (JSON Canonicalization Scheme) text: what every hash of the product is taken over.
 *
 * JavaScript's own number and string serialisation is what RFC 8785 prescribes, so only order and validity are ours:
 * keys sorted by UTF-16 code units, no lone surrogate, no number that is not finite.
 */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

/** A value no canonical text exists for. `path` leads to it. */
export class NotCanonicalError extends Error {
  readonly reason: string;
  readonly path: readonly string[];

  constructor(reason: string, path: readonly string[] = []) {
    super(path.length === 0 ? reason : `${reason} at ${path.join(".")}`);
    this.name = "NotCanonicalError";
    this.reason = reason;
    this.path = path;
  }
}

declare const VALUE: unique symbol;

/** Text that is canonical already and is embedded as it stands, so that a large value is serialised once. */
export class CanonicalText<Value = unknown> {
  readonly text: string;
  declare readonly [VALUE]?: Value;

  constructor(text: string) {
    this.text = text;
  }
}

export type Canonicalizable =
  | JsonValue
  | CanonicalText
  | readonly Canonicalizable[]
  | { readonly [key: string]: Canonicalizable | undefined };

/** Nesting beyond this is refused: deeper input is an attack, and the recursion below must stay bounded. */
export const MAX_DEPTH = 64;

/** The RFC 8785 text of `value`. Keys whose value is undefined are left out. */
export function canonicalize(value: Canonicalizable): string {
  return write(value, 0, undefined);
}

/** What a writer of more than plain JSON decides for itself. */
export interface Extension {
  /** The text of an object that is not plain, or undefined if it has none. `path` leads to it, for now: copy it to keep it. */
  readonly write: (value: object, path: readonly string[]) => string | undefined;
  /** Whether numbers that are no integers up to 2^53 are refused. */
  readonly integersOnly: boolean;
}

/** The same with objects in it that `extension` knows how to write. `depth` is -1 for an object that holds a value of limited depth. */
export function canonicalizeExtended(value: unknown, extension: Extension, depth: 0 | -1 = 0): string {
  return write(value, depth, { extension, path: [] });
}

interface Writing {
  readonly extension: Extension;
  readonly path: string[];
}

function write(value: unknown, depth: number, writing: Writing | undefined): string {
  switch (typeof value) {
    case "string":
      return writeString(value);
    case "number":
      return writeNumber(value, writing);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (value instanceof CanonicalText) return value.text;
      if (depth >= MAX_DEPTH) throw new NotCanonicalError(`nesting deeper than ${MAX_DEPTH}`);
      if (Array.isArray(value)) return writeArray(value, depth, writing);
      return isPlain(value) ? writeObject(value, depth, writing) : writeOther(value, writing);
    default:
      throw new NotCanonicalError(`a value of type ${typeof value} has no JSON form`);
  }
}

/** What JSON escapes, and surrogates, which may be lone. Anything else stands for itself. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what JSON escapes
const SPECIAL = /["\\\u0000-\u001f\ud800-\udfff]/;

function writeString(value: string): string {
  if (!SPECIAL.test(value)) return `"${value}"`;
  if (!value.isWellFormed()) throw new NotCanonicalError("a lone surrogate has no UTF-8 form");
  return JSON.stringify(value);
}

function writeNumber(value: number, writing: Writing | undefined): string {
  if (!Number.isFinite(value)) throw new NotCanonicalError("a number that is not finite has no JSON form");
  if (writing?.extension.integersOnly && !Number.isSafeInteger(value)) {
    throw new NotCanonicalError("a fraction or an integer beyond 2^53 has to be written as a string");
  }
  return String(value);
}

function writeArray(values: readonly unknown[], depth: number, writing: Writing | undefined): string {
  let text = "[";
  let index = 0;
  try {
    for (; index < values.length; index++) {
      if (index > 0) text += ",";
      writing?.path.push(String(index));
      text += write(values[index], depth + 1, writing);
      writing?.path.pop();
    }
  } catch (error) {
    throw within(String(index), error);
  }
  return `${text}]`;
}

function isPlain(value: object): value is { readonly [key: string]: unknown } {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function writeObject(value: { readonly [key: string]: unknown }, depth: number, writing: Writing | undefined): string {
  let text = "{";
  let at = "";
  try {
    // The default sort compares UTF-16 code units, which is the order RFC 8785 section 3.2.3 asks for.
    for (const key of Object.keys(value).sort()) {
      const member = value[key];
      if (member === undefined) continue;
      at = key;
      if (text.length > 1) text += ",";
      writing?.path.push(key);
      text += `${writeString(key)}:${write(member, depth + 1, writing)}`;
      writing?.path.pop();
    }
  } catch (error) {
    throw within(at, error);
  }
  return `${text}}`;
}

/** An instance of a class (a date, a map, a value still to be sealed) would lose its meaning as a bag of its fields. */
function writeOther(value: object, writing: Writing | undefined): string {
  const text = writing?.extension.write(value, writing.path);
  if (text === undefined) throw new NotCanonicalError("an object that is not plain has no JSON form");
  return text;
}

function within(key: string, error: unknown): unknown {
  return error instanceof NotCanonicalError ? new NotCanonicalError(error.reason, [key, ...error.path]) : error;
}
