import type { LedgerEntry } from "../../../facts/entry.ts";
import { type WithheldBecause, withheldValues } from "../../../facts/payload.ts";
import { LedgerDamagedError } from "../../../ledger/errors.ts";
import type { Principal } from "../../identity/principal.ts";
import type { FollowUp } from "../decide/command.ts";

/**
 * Whether the values that a decision rests on are those that were recorded: all of the proposal, and the profiles of those who
 * approved, since an address tells whether two accounts are one person. ALTERED if any is, else MISSING if any is.
 */
export function contentProblem(proposal: LedgerEntry, voters: readonly Principal[]): WithheldBecause | undefined {
  const problems = new Set([...withheldValues(proposal).values(), ...voters.flatMap(problemsOf)]);
  if (problems.has("ALTERED")) return "ALTERED";
  return problems.has("MISSING") ? "MISSING" : undefined;
}

function problemsOf({ withheld, onBehalfOf }: Principal): readonly WithheldBecause[] {
  return [...(withheld === undefined ? [] : [withheld]), ...(onBehalfOf === undefined ? [] : problemsOf(onBehalfOf))];
}

/** Commands that let something happen, or forbid it, because of what the proposal says. */
export function restsOnContent({ type }: FollowUp): boolean {
  return (
    type === "approve" || type === "breakGlass" || type === "deny" || type === "claimGrant" || type === "redeemGrant"
  );
}

/** For a value that was altered: nothing is decided, and nothing recorded, until it is restored. */
export function alteredContent({ ledger, seq }: LedgerEntry): LedgerDamagedError {
  return new LedgerDamagedError(
    ledger,
    `a stored value of the proposal at position ${seq}, or of a decision on it, is not the one that was recorded: restore it from ` +
      "a backup",
  );
}
