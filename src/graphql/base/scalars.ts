import { GraphQLError, Kind, type ValueNode } from "graphql";
import { validate as isUuid } from "uuid";
import type { JsonValue } from "../../facts/canonical.ts";
import { hashFromHex, hexFromHash } from "../../facts/hash.ts";
import type { Builder } from "./builder.ts";
import { graphqlError } from "./errors.ts";
import { survivesAsDouble } from "./exact-number.ts";

/**
 * Objects and arrays within each other that a JSON value may have, itself included. With what wraps it in a request and in an
 * entry there are at most 64.
 */
export const MAX_JSON_DEPTH = 56;

const SEQUENCE = /^(?:0|[1-9]\d{0,18})$/;
const MAX_SEQUENCE = 2n ** 63n - 1n;
const INSTANT = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?Z$/;

function refuse(message: string): GraphQLError {
  return graphqlError("BAD_USER_INPUT", message, { http: { status: 400, spec: true } });
}

/** The result of `parse` for a literal. An error has the position of the literal; for a variable GraphQL names it. */
function parseString<Value>(node: ValueNode, scalar: string, parse: (value: unknown) => Value): Value {
  try {
    if (node.kind === Kind.STRING) return parse(node.value);
    throw refuse(`${scalar} is written as a string.`);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    const { message, extensions } = error;
    throw new GraphQLError(message, { nodes: node, extensions });
  }
}

function parseSequence(value: unknown): bigint {
  if (typeof value !== "string" || !SEQUENCE.test(value)) {
    throw refuse('Sequence is a decimal string such as "17", never a JSON number.');
  }
  const seq = BigInt(value);
  if (seq > MAX_SEQUENCE) throw refuse("Sequence is at most 9223372036854775807.");
  return seq;
}

function parseHash(value: unknown): string {
  if (typeof value === "string" && hexFromHash(value) !== undefined) return value;
  throw refuse("Hash is `sha256:` followed by the 64 digits of a SHA-256 in lower-case hexadecimal.");
}

function parseUuid(value: unknown): string {
  if (typeof value !== "string" || !isUuid(value)) throw refuse("UUID is 32 hex digits in five groups (RFC 9562).");
  return value.toLowerCase();
}

/** RFC 3339 in UTC; kept as text with microseconds, which a Date would lose. */
export function parseInstant(value: unknown): string {
  const match = typeof value === "string" ? INSTANT.exec(value) : null;
  const [, year, month, day, hour, minute, second, fraction = ""] = match ?? [];
  const seconds = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  // A date that does not exist comes back as another one.
  const date = new Date(`${seconds}Z`);
  if (match === null || Number.isNaN(date.getTime()) || !date.toISOString().startsWith(seconds)) {
    throw refuse("DateTime is RFC 3339 in UTC, such as 2026-11-21T22:50:01.123456Z.");
  }
  return `${seconds}.${fraction.padEnd(6, "0")}Z`;
}

/** Throws when an object or array at `depth`, of which the outermost has 0, is too deep. */
function checkDepth(depth: number): void {
  if (depth >= MAX_JSON_DEPTH) throw refuse(`JSON is nested more than ${MAX_JSON_DEPTH} levels deep.`);
}

function parseJson(value: unknown, depth = 0): JsonValue {
  if (typeof value === "object" && value !== null) {
    checkDepth(depth);
    for (const member of Object.values(value)) parseJson(member, depth + 1);
  }
  return value as JsonValue;
}

type Variables = Readonly<Record<string, unknown>> | null | undefined;

/**
 * A JSON value written as a GraphQL literal, as strictly read as JSON text is.
 *
 * @param variables the values of variables; undefined during validation, when they have none yet
 * @param path names and indexes that lead to `node` from the whole value
 */
function parseJsonLiteral(node: ValueNode, variables: Variables, path: readonly string[] = []): JsonValue {
  switch (node.kind) {
    case Kind.STRING:
    case Kind.BOOLEAN:
      return node.value;
    case Kind.NULL:
      return null;
    case Kind.INT:
    case Kind.FLOAT:
      if (!survivesAsDouble(node.value)) {
        throw refuse(`A number${placeOf(path)} would change its value: send it as a string.`);
      }
      return Number(node.value);
    case Kind.LIST:
      checkDepth(path.length);
      return node.values.map((item, index) => parseJsonLiteral(item, variables, [...path, String(index)]));
    case Kind.OBJECT:
      checkDepth(path.length);
      return parseJsonObject(node.fields, variables, path);
    case Kind.VARIABLE:
      return parseJson(variableValue(node.name.value, variables), path.length);
    default:
      throw refuse(`JSON has no enum values${placeOf(path)}: write a string.`);
  }
}

function placeOf(path: readonly string[]): string {
  return path.length === 0 ? "" : ` at ${path.join(".")}`;
}

function variableValue(name: string, variables: Variables): unknown {
  if (variables === undefined || variables === null) return null;
  // An omitted variable is not null: the caller has to say which one is meant.
  if (!Object.hasOwn(variables, name)) throw refuse(`$${name} inside a JSON literal has no value.`);
  return variables[name];
}

function parseJsonObject(
  fields: readonly {
    readonly name: { readonly value: string };
    readonly value: ValueNode;
  }[],
  variables: Variables,
  path: readonly string[],
): JsonValue {
  const entries = new Map<string, JsonValue>();
  for (const { name, value } of fields) {
    if (entries.has(name.value))
      throw refuse(`A JSON object has two members of the same name${placeOf([...path, name.value])}.`);
    entries.set(name.value, parseJsonLiteral(value, variables, [...path, name.value]));
  }
  // Unlike an assignment, this makes an own property of `__proto__` too.
  return Object.fromEntries(entries);
}

/** Adds the scalars of the API to `builder`. */
export function addScalars(builder: Builder): void {
  builder.scalarType("Sequence", {
    description:
      "A position or count in a ledger, as a string of decimal digits: it can exceed what a JSON number holds exactly.",
    serialize: (seq) => seq.toString(),
    parseValue: parseSequence,
    parseLiteral: (node) => parseString(node, "Sequence", parseSequence),
  });
  builder.scalarType("Hash", {
    description: "A SHA-256: `sha256:` followed by 64 lowercase hexadecimal digits.",
    serialize: (hash) => (hash.startsWith("sha256:") ? hash : hashFromHex(hash)),
    parseValue: parseHash,
    parseLiteral: (node) => parseString(node, "Hash", parseHash),
  });
  builder.scalarType("DateTime", {
    description: "An instant in UTC in RFC 3339 form with microseconds: `2026-11-21T22:50:01.123456Z`.",
    specifiedByURL: "https://www.rfc-editor.org/rfc/rfc3339",
    serialize: (instant) => parseInstant(instant),
    parseValue: parseInstant,
    parseLiteral: (node) => parseString(node, "DateTime", parseInstant),
  });
  builder.scalarType("UUID", {
    description: "A UUID in lowercase, with hyphens.",
    specifiedByURL: "https://www.rfc-editor.org/rfc/rfc9562",
    serialize: (uuid) => uuid,
    parseValue: parseUuid,
    parseLiteral: (node) => parseString(node, "UUID", parseUuid),
  });
  builder.scalarType("JSON", {
    description: `Any JSON value, returned exactly as it was sent. At most ${MAX_JSON_DEPTH} objects and arrays within each other. Numbers that an IEEE 754 double cannot represent are refused, and -0: send them as strings.`,
    specifiedByURL: "https://www.rfc-editor.org/rfc/rfc8259",
    serialize: (value) => value,
    parseValue: (value) => parseJson(value),
    parseLiteral: (node, variables) => parseJsonLiteral(node, variables),
  });
}
