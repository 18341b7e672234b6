import {
  canonicalizeExtended,
  type JsonObject,
  type JsonValue,
  MAX_DEPTH,
  NotCanonicalError,
} from "../facts/canonical.ts";
import { LEDGER_ID } from "../facts/entry.ts";
import { isSurelyCanonical } from "./canonical-bytes.ts";

const MEMBERS = "body,ledger,prevHash,recordedAt,seq,v";
const LAST = 2n ** 63n - 1n;
/** Of members beside the body; `recordedAt` is checked with the times before it. */
const FORMS: readonly (readonly [string, RegExp])[] = [
  ["ledger", LEDGER_ID],
  ["prevHash", /^[0-9a-f]{64}$/],
  ["seq", /^[1-9]\d{0,18}$/],
];

/**
 * Why `text`, which was parsed into `parsed` and has `bytes` in UTF-8, is not the canonical text of an entry: it has other
 * members, is not RFC 8785 text, or contains what no body may. Undefined when it is.
 */
export function formProblem(text: string, bytes: Uint8Array, parsed: JsonValue): string | undefined {
  if (!isObject(parsed)) return "it is no object";
  if (Object.keys(parsed).sort().join() !== MEMBERS) return `its members are not ${MEMBERS}`;
  for (const [name, pattern] of FORMS) {
    const value = parsed[name];
    if (typeof value !== "string" || !pattern.test(value)) return `its ${name} is of no form that there is`;
  }
  if (BigInt(String(parsed.seq)) > LAST) return "its seq is beyond the last that there is";
  if (isSurelyCanonical(bytes)) return undefined;
  try {
    return unusualProblem(text, parsed);
  } catch (error) {
    // Nesting that is deeper than any stack is deeper than is allowed.
    if (error instanceof RangeError) return `nesting deeper than ${MAX_DEPTH}`;
    throw error;
  }
}

/** The same, by writing the canonical text. */
function unusualProblem(text: string, parsed: JsonValue): string | undefined {
  if (hasNul(parsed)) return "it holds NUL";
  try {
    // The limit is one of the body, which the entry holds.
    const canonical = canonicalizeExtended(parsed, { write: () => undefined, integersOnly: true }, -1);
    return canonical === text ? undefined : "it is not RFC 8785 text";
  } catch (error) {
    if (error instanceof NotCanonicalError) return error.message;
    throw error;
  }
}

function hasNul(value: unknown): boolean {
  if (typeof value === "string") return value.includes("\0");
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([key, member]) => key.includes("\0") || hasNul(member));
}

/**
 * Replaces by null what a body holds deeper than any body may, which `formProblem` reports: no other check has to go there, and none
 * runs out of stack. Changes `body`.
 */
export function cutDepth(body: JsonObject): void {
  let level: readonly object[] = [body];
  for (let depth = 1; level.length > 0; depth += 1) {
    const below: object[] = [];
    for (const container of level as readonly Record<string, unknown>[]) {
      for (const [key, value] of Object.entries(container)) {
        if (typeof value !== "object" || value === null) continue;
        // Not by assignment, which means something else for `__proto__`.
        if (depth >= MAX_DEPTH) Object.defineProperty(container, key, { ...PLAIN, value: null });
        else below.push(value);
      }
    }
    level = below;
  }
}

const PLAIN = { configurable: true, enumerable: true, writable: true };

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
