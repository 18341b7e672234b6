import {
  defaultFieldResolver,
  type GraphQLError,
  type GraphQLFieldResolver,
  type GraphQLSchema,
  getNamedType,
  isIntrospectionType,
  isLeafType,
  isObjectType,
} from "graphql";
import type { Context } from "./context.ts";
import { graphqlError } from "./errors.ts";

/** Bytes that one response may have, or one event of a subscription. */
export const RESPONSE_BYTES = 4 * 1024 * 1024;

/** What a value costs of whose size the type says nothing: a free text, or any JSON. That of a field is 1. */
export const LARGE_VALUE = 2;

/** Counts the bytes of one response while it is put together, so that none grows beyond what may be sent. */
export interface ResponseBudget {
  /** Adds what one field brings to the response. Throws RESPONSE_TOO_LARGE when that is too much, and at every call from then on. */
  spend(bytes: number): void;
  /** Begins the next response of a subscription. */
  reset(): void;
}

export function createResponseBudget(limit: number): ResponseBudget {
  let left = limit;
  let exceeded: GraphQLError | undefined;
  return {
    spend(bytes) {
      left -= bytes;
      if (left >= 0) return;
      // One for all fields: there may be as many as the response was to have.
      exceeded ??= tooLarge(limit);
      throw exceeded;
    },
    reset() {
      left = limit;
      exceeded = undefined;
    },
  };
}

function tooLarge(limit: number): GraphQLError {
  const message = `The response would have more than ${limit} bytes. Ask for fewer at a time (\`first\`), or for fewer fields; what a mutation did is done.`;
  return graphqlError("RESPONSE_TOO_LARGE", message);
}

type Resolver = GraphQLFieldResolver<unknown, Context>;

/**
 * Has every field of `schema` count what it brings to the response, in bytes of JSON. When it is too much, the fields that are still to
 * be resolved load nothing.
 */
export function countResponses(schema: GraphQLSchema): void {
  const subscription = schema.getSubscriptionType();
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || isIntrospectionType(type)) continue;
    const startsResponse = type === subscription;
    for (const field of Object.values(type.getFields())) {
      const resolve: Resolver = field.resolve ?? defaultFieldResolver;
      const isLeaf = isLeafType(getNamedType(field.type));
      const counted: Resolver = (parent, args, context, info) => {
        const { budget } = context;
        if (startsResponse) budget.reset();
        // `"key":` and a comma, or braces.
        budget.spend(String(info.path.key).length + 6);
        const value = resolve(parent, args, context, info);
        if (!isLeaf) return value;
        if (!isPromise(value)) {
          budget.spend(bytesOf(value));
          return value;
        }
        return value.then((loaded) => {
          budget.spend(bytesOf(loaded));
          return loaded;
        });
      };
      field.resolve = counted;
    }
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Bytes that JSON has for what is neither a text nor a container, at most: a number, a position, an instant. */
const SCALAR_BYTES = 24;

/** Bytes of the JSON of `value`, an upper bound for what is no text. */
function bytesOf(value: unknown): number {
  if (typeof value === "string") return bytesOfText(value);
  if (typeof value !== "object" || value === null) return SCALAR_BYTES;
  // Under several aliases it is the same object.
  let bytes = measured.get(value);
  if (bytes === undefined) {
    bytes = bytesOfMembers(value);
    measured.set(value, bytes);
  }
  return bytes;
}

const measured = new WeakMap<object, number>();

function bytesInside(value: unknown): number {
  if (typeof value === "string") return bytesOfText(value);
  return typeof value === "object" && value !== null ? bytesOfMembers(value) : SCALAR_BYTES;
}

function bytesOfMembers(value: object): number {
  let bytes = 2;
  if (Array.isArray(value)) {
    for (const member of value) bytes += bytesInside(member) + 1;
    return bytes;
  }
  // Not Object.entries, which would make a list for each pair.
  for (const name in value)
    bytes += bytesOfText(name) + 2 + bytesInside((value as Readonly<Record<string, unknown>>)[name]);
  return bytes;
}

/** Bytes of a text as JSON.stringify writes it, in UTF-8. */
function bytesOfText(text: string): number {
  let bytes = 2;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0x80) {
      // Each half of a pair is two bytes of four; a half alone is escaped.
      const isHalf = unit >= 0xd800 && unit < 0xe000;
      bytes += unit < 0x800 || isHalf ? 2 : 3;
    } else if (unit < 0x20) bytes += 6;
    else bytes += unit === 0x22 || unit === 0x5c ? 2 : 1;
  }
  return bytes;
}
