import { canonicalizeExtended, type JsonValue, MAX_DEPTH, NotCanonicalError } from "../facts/canonical.ts";

const MEMBERS = "body,ledger,prevHash,recordedAt,seq,v";
/** As JSON spells what a body must not hold: NUL, and a surrogate, which may be a lone one. */
const ESCAPED_NUL = "\\u0000";
const ESCAPED_SURROGATE = "\\ud";

/**
 * Why `text`, which was parsed into `parsed`, is not the one text of an entry that says so: it has other members, is not
 * RFC 8785 text, or holds what no body may. Undefined when it is.
 */
export function formProblem(text: string, parsed: JsonValue): string | undefined {
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return "it is no object";
  if (Object.keys(parsed).sort().join() !== MEMBERS) return `its members are not ${MEMBERS}`;
  try {
    // JavaScript writes numbers and strings as RFC 8785 asks; the order of keys and what it has no word on is left.
    const usual = JSON.stringify(parsed) === text && !text.includes(ESCAPED_NUL) && !text.includes(ESCAPED_SURROGATE);
    if (usual && isPlain(parsed, 0)) return undefined;
    return unusualProblem(text, parsed);
  } catch (error) {
    // Nesting that is deeper than any stack is deeper than is allowed.
    if (error instanceof RangeError) return `nesting deeper than ${MAX_DEPTH}`;
    throw error;
  }
}

/** Whether keys are in order, numbers whole and nesting bounded. */
function isPlain(value: unknown, depth: number): boolean {
  if (typeof value === "number") return Number.isSafeInteger(value);
  if (typeof value !== "object" || value === null) return true;
  if (depth >= MAX_DEPTH) return false;
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) if (!isPlain(item, depth + 1)) return false;
    return true;
  }
  let before = "";
  const members = value as { readonly [key: string]: unknown };
  for (const key in members) {
    if (key < before || !isPlain(members[key], depth + 1)) return false;
    before = key;
  }
  return true;
}

/** The same, without a short cut: JavaScript orders keys that are whole numbers in its own way. */
function unusualProblem(text: string, parsed: JsonValue): string | undefined {
  if (hasNul(parsed)) return "it holds NUL";
  try {
    const canonical = canonicalizeExtended(parsed, { write: () => undefined, integersOnly: true });
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
