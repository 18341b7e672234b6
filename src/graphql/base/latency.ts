import type { JsonObject } from "../../facts/canonical.ts";

/** What GraphQL's Int holds at most. */
const MAX_INT = 2 ** 31 - 1;

export const LATENCY_DESCRIPTION =
  "From redemption to completion in milliseconds, on the server's clock; 2147483647 for that long (24.8 days) and longer.";

/** `latencyMs` of the body of an ACTION_COMPLETED entry, as Int; null when there is none. */
export function latencyOf({ latencyMs }: JsonObject): number | null {
  return Number.isInteger(latencyMs) ? Math.min(Number(latencyMs), MAX_INT) : null;
}
