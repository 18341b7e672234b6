import { z } from "zod";
import type { CanonicalText, JsonObject } from "./canonical.ts";
import { isInstant } from "./entry.ts";
import type { Erasable } from "./erasable.ts";
import type { Hash } from "./hash.ts";
import { isHash, isHex32, isHex64, isUuid } from "./hex.ts";
import { isSignature } from "./signature.ts";

/**
 * Members of entries, as zod schemas that carry what FORMAT.md says about them: the JSON they are and what they mean. The
 * same schema is the type of a member, its check and its row in the specification.
 */
declare const VALUE: unique symbol;

/** An erasable value as it is stored in a body: a commitment to it. The value itself is in the payload. */
export interface Commitment<Value> {
  /** 64 lowercase hex digits. */
  readonly commit: string;
  readonly [VALUE]?: Value;
}

/** A stored member as it is written: values where commitments will be. Text that is canonical already is taken as it is. */
export type Written<Stored> =
  Stored extends Commitment<infer Value>
    ? Erasable<Value>
    : Stored extends readonly (infer Item)[]
      ? readonly Written<Item>[]
      : Stored extends object
        ? { readonly [Key in keyof Stored]: Written<Stored[Key]> } | CanonicalText<Stored>
        : Stored;

/** A stored member as it is read: values put back where commitments are; undefined where one was erased. */
export type Decoded<Stored> =
  Stored extends Commitment<infer Value>
    ? Value | undefined
    : Stored extends readonly (infer Item)[]
      ? readonly Decoded<Item>[]
      : Stored extends object
        ? { readonly [Key in keyof Stored]: Decoded<Stored[Key]> }
        : Stored;

/** What FORMAT.md prints about a member. */
export interface MemberMeta {
  /** The JSON it is, as a word. */
  readonly json: string;
  readonly description: string;
}

function described<Schema extends z.ZodType>(schema: Schema, json: string, description: string): Schema {
  return schema.meta({ json, description });
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const text = (description: string) => described(z.string(), "string", description);
export const flag = (description: string) => described(z.boolean(), "boolean", description);
/** One value and no other. */
export const always = <const Value extends boolean>(value: Value, description: string) =>
  described(z.literal(value), `\`${value}\``, description);
export const uuid = (description: string) => described(z.string().refine(isUuid, "is not a UUID"), "UUID", description);
export const instant = (description: string) =>
  described(z.string().refine(isInstant, "is not an instant with six decimals"), "instant", description);
export const hex = (description: string) =>
  described(z.string().refine(isHex64, "is not 64 hex digits"), "64 hex digits", description);
export const hex32 = (description: string) =>
  described(z.string().refine(isHex32, "is not 32 hex digits"), "32 hex digits", description);
export const hash = (description: string) =>
  described(
    z.custom<Hash>((value) => typeof value === "string" && isHash(value), "is not `sha256:` and 64 hex digits"),
    "`sha256:` and 64 hex digits",
    description,
  );
export const signature = (description: string) =>
  described(z.string().refine(isSignature, "is not a compact JWS with detached content"), "JWS", description);
export const count = (description: string) => described(z.int().min(0), "integer", description);
export const positive = (description: string) => described(z.int().min(1), "integer from 1", description);
/** One word of a closed list. */
export const code = <const Words extends readonly string[]>(words: Words, description: string) =>
  described(z.enum(words), words.map((word) => `\`${word}\``).join(", "), description);
export const list = <Item extends z.ZodType>(item: Item, description: string) =>
  described(z.array(item), `list of ${jsonOf(item)}`, description);
/** An object with exactly these members. */
export const object = <Members extends z.ZodRawShape>(members: Members, description: string) =>
  described(z.strictObject(members), "object", description);
/** Any JSON object. */
export const anyObject = (description: string) =>
  described(z.custom<JsonObject>(isObject, "is no object"), "object", description);
/** Counts by name. */
export const counts = (description: string) =>
  described(
    // Not z.record, which passes over a member that is called __proto__.
    z.custom<{ readonly [name: string]: number }>(
      (value) =>
        isObject(value) &&
        Object.values(value).every((times) => typeof times === "number" && Number.isSafeInteger(times) && times >= 0),
      "is no object of integers",
    ),
    "object of integers",
    description,
  );
const DECIMAL = /^\d{1,40}(?:\.\d{1,18})?$/;
/** Exact numbers from 0 by name. */
export const decimals = (description: string) =>
  described(
    z.custom<{ readonly [name: string]: string }>(
      (value) => isObject(value) && Object.values(value).every((one) => typeof one === "string" && DECIMAL.test(one)),
      "is no object of decimals",
    ),
    "object of decimals",
    description,
  );
/** A value that can be erased: FORMAT.md, "Erasable values". */
export const erasable = <Value>(description: string) =>
  described(z.custom<Commitment<Value>>(isCommitment, "is no commitment"), "commitment", description);

function isCommitment(value: unknown): boolean {
  if (!isObject(value) || typeof value.commit !== "string" || !isHex64(value.commit)) return false;
  for (const name in value) if (name !== "commit") return false;
  return true;
}

/** The JSON that `schema` is, in a word. */
export function jsonOf(schema: z.ZodType): string {
  return metaOf(schema).json;
}

export function metaOf(schema: z.ZodType): MemberMeta {
  if (schema instanceof z.ZodOptional) return metaOf(schema.unwrap() as z.ZodType);
  const { json, description } = schema.meta() ?? {};
  return { json: typeof json === "string" ? json : "JSON", description: description ?? "" };
}
