import { factOfType } from "../../facts/decode.ts";
import type { LedgerEntry } from "../../facts/entry.ts";

/** A position as a ledger has it; BigInt takes other texts too. */
const POSITION = /^(0|[1-9]\d{0,18})$/;

/**
 * The position of the home ledger as of which the directory was known when `proposal` was made; in the home region that is its own.
 * `at`: a position of the proposal's ledger behind it, which takes its place there.
 */
export function homePositionOf(proposal: LedgerEntry, at: bigint = proposal.seq): bigint {
  const { home } = factOfType(proposal, "ACTION_PROPOSED");
  if (home === undefined) return at;
  // As of the beginning when it cannot be told: then everything counts as if it happened since.
  return POSITION.test(home.seq) ? BigInt(home.seq) : 0n;
}
