import { stateIn } from "../../facts/decode.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import { type Queryable, readEntry } from "../../ledger/read.ts";
import type { IsSigned } from "../../ledger/signatures/check.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { ActionState } from "./action.ts";

/**
 * Throws LedgerUnavailableError LEDGER_CORRUPT unless a server of this installation signed the entry that left the action
 * in this state: its row, and an entry, may have been written by somebody else.
 */
export type SignedAssertion = (state: ActionState) => Promise<void>;

const RETRY_AFTER_SECONDS = 60;

export function createSignedAssertion(options: {
  readonly db: Queryable;
  readonly isSigned: IsSigned;
}): SignedAssertion {
  const { db, isSigned } = options;
  return async ({ ledger, id, version, status, updatedSeq }) => {
    const latest = await withLedgerErrors(readEntry(db, ledger, updatedSeq));
    if (latest !== undefined && isSigned(latest)) {
      const recorded = stateIn(latest, "ACTION", id);
      if (recorded?.version === version && recorded.state.status === status) return;
    }
    const message = `no server of this installation signed the entry at position ${updatedSeq}, which action ${id} depends on; verify the ledger`;
    throw new LedgerUnavailableError(message, RETRY_AFTER_SECONDS, undefined, "NOTHING", "LEDGER_CORRUPT");
  };
}
