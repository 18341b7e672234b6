import type { Propose } from "./command.ts";
import { type NextState, secondsAfter } from "./transition.ts";

/** The state of a new action, by the outcome of the policy. */
export function firstState({ outcome, grantId, approvalTtl, grantTtl }: Propose, now: Date): NextState {
  const start = { version: 1, approvals: 0 };
  switch (outcome) {
    case "PERMIT":
      return { ...start, status: "ALLOWED", grant: { id: grantId, expiresAt: secondsAfter(now, grantTtl) } };
    case "REQUIRE":
      return { ...start, status: "PENDING", expiresAt: secondsAfter(now, approvalTtl) };
    case "FORBID":
      return { ...start, status: "BLOCKED" };
  }
}
