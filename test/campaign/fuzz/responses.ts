import type { World } from "./target.ts";

/** Codes that hostile input must never lead to. */
const OUR_FAULT = new Set([
  "INTERNAL_SERVER_ERROR",
  "DATABASE_CORRUPT",
  "LEDGER_CORRUPT",
  "LEDGER_STOPPED",
  "CLOCK_SKEWED",
]);
const UNAVAILABLE = new Set(["LEDGER_UNAVAILABLE", "LEDGER_LOCKED"]);
/** Characters of an error message; a longer one repeats what was sent. */
const LONGEST_MESSAGE = 2_200;

interface Body {
  readonly data?: unknown;
  readonly errors?: readonly { readonly message?: unknown; readonly extensions?: { readonly code?: unknown } }[];
}

function parsed(text: string): Body | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What is wrong with a response to a GraphQL request; undefined when nothing is. */
export function faultOf(world: World, status: number, text: string): string | undefined {
  const body = parsed(text);
  const codes = (body?.errors ?? []).map(({ extensions }) => String(extensions?.code));
  for (const outcome of codes.length === 0 ? [String(status)] : new Set(codes)) {
    world.outcomes.set(outcome, (world.outcomes.get(outcome) ?? 0) + 1);
  }
  const excerpt = text.slice(0, 2_000);
  if (body === undefined) return `status ${status} with what is no JSON object: ${excerpt}`;
  if (codes.some((code) => OUR_FAULT.has(code))) return `status ${status}: ${excerpt}`;
  if (codes.includes("undefined")) return `an error without a code: ${excerpt}`;
  if (status >= 500 && (codes.length === 0 || !codes.every((code) => UNAVAILABLE.has(code)))) {
    return `status ${status}: ${excerpt}`;
  }
  const long = body.errors?.find(({ message }) => typeof message !== "string" || message.length > LONGEST_MESSAGE);
  if (long !== undefined) return `a message of ${String(long.message).length} characters: ${excerpt}`;
  world.learn(text);
  return undefined;
}
