import type { JsonObject } from "../../facts/canonical.ts";

/** What GraphQL's Int holds at most. */
const MAX_INT = 2 ** 31 - 1;

export const LATENCY_DESCRIPTION =
  "Milliseconds from redeeming the grant to the reported outcome, by the database's clock; at most 2147483647 (24.8 days). Null before the outcome is reported.";

/** `latencyMs` of the body of an ACTION_COMPLETED entry, as Int; null when there is none. */
export function latencyOf({ latencyMs }: JsonObject): number | null {
  return Number.isInteger(latencyMs) ? Math.min(Number(latencyMs), MAX_INT) : null;
}
