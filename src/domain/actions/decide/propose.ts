import type { Propose } from "./command.ts";
import { type Change, later, type NextState } from "./ruling.ts";

/** The first entry of an action: what the policy says of it is where it stands. */
export function propose(command: Propose, now: Date): Change {
  const next = firstState(command, now);
  const facts = next.grant === undefined ? {} : { grant: { id: command.grantId } };
  return { kind: "change", type: "ACTION_PROPOSED", next, facts };
}

function firstState({ outcome, grantId, approvalTtl, grantTtl }: Propose, now: Date): NextState {
  const start = { version: 1, approvals: 0 };
  switch (outcome) {
    case "PERMIT":
      return { ...start, status: "ALLOWED", grant: { id: grantId, expiresAt: later(now, grantTtl) } };
    case "REQUIRE":
      return { ...start, status: "PENDING", expiresAt: later(now, approvalTtl) };
    case "FORBID":
      return { ...start, status: "BLOCKED" };
  }
}
