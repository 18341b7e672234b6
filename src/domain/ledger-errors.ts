import { classify } from "../db/errors.ts";
import { LedgerUnavailableError } from "../ledger/errors.ts";

const RETRY_AFTER_SECONDS = 1;

/**
 * The result of a query of the ledger. Throws LedgerUnavailableError when the database is unavailable, as an append does,
 * so that callers handle both alike; rethrows any other error.
 */
export async function withLedgerErrors<Result>(query: Promise<Result>): Promise<Result> {
  try {
    return await query;
  } catch (error) {
    const meaning = classify(error);
    if (meaning === "bug" || meaning === "refused") throw error;
    throw new LedgerUnavailableError(
      "the database cannot be read now; nothing was recorded",
      RETRY_AFTER_SECONDS,
      error,
    );
  }
}
