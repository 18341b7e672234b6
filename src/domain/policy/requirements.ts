import type { Requirement } from "./evaluate.ts";

/** A requirement as data, for a proposal. */
export function recordedRequirement({ approver, escalation, ...requirement }: Requirement) {
  return {
    ...requirement,
    approver: approver?.map((filter) => ({ ...filter })),
    escalation: escalation && { ...escalation },
  };
}
