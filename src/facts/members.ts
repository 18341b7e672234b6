import type { JsonObject, JsonValue } from "./canonical.ts";

/**
 * Members of bodies in the shape they were written in. What we hashed ourselves is trusted to have it: anything else reads
 * as empty.
 */
export function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

export function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [];
}

export function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}

/** Paths of declarations, taken apart: they are few, and looked up for each entry of a verification. */
const ways = new Map<string, readonly string[]>();

function wayOf(path: string): readonly string[] {
  let way = ways.get(path);
  if (way === undefined) {
    way = path.split(".");
    ways.set(path, way);
  }
  return way;
}

/** The member at the dotted path of a declaration; undefined where there is none. */
export function memberAt(body: JsonObject, path: string): JsonValue | undefined {
  let value: JsonValue | undefined = body;
  for (const key of wayOf(path)) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as JsonObject)[key];
  }
  return value;
}

/** Whether two JSON values are equal. */
export function isSame(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const [left, right] = [one as JsonObject, other as JsonObject];
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && isSame(left[key], right[key]))
  );
}
