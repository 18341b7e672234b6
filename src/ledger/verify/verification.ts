import { DomainError } from "../../errors.ts";
import type { LedgerHead } from "../../facts/entry.ts";
import type { LedgerProblem, LedgerVerdict } from "../../verify/verdict.ts";

/** `fromSeq` to `toSeq` is the requested range, `checkedEntries` the number of its entries that were re-hashed. */
export interface LedgerVerification {
  readonly verdict: LedgerVerdict;
  readonly fromSeq: bigint;
  readonly toSeq: bigint;
  readonly checkedEntries: bigint;
  /** The head row; position 0 and 64 zeros when there is none. */
  readonly head: LedgerHead;
  readonly problems: readonly LedgerProblem[];
  readonly durationMs: number;
}

/** The requested range is not within the ledger. */
export class VerificationRangeError extends DomainError<"BAD_RANGE"> {
  constructor(message: string, path: readonly string[]) {
    super("BAD_RANGE", message, { path });
  }
}
