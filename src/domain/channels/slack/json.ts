import type { JsonValue } from "../../../facts/canonical.ts";
import { parseJson } from "../../../facts/parse-json.ts";

/** The value of JSON text; undefined: it is none. */
export function jsonOf(text: string): JsonValue | undefined {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
