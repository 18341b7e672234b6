import { classify, type DatabaseFailure } from "../db/errors.ts";
import { LedgerUnavailableError } from "../ledger/errors.ts";

const RETRY_AFTER_SECONDS = 1;

/**
 * The result of a query of the ledger. Throws LedgerUnavailableError when the database is unavailable, as an append does,
 * so that callers handle both alike; rethrows any other error.
 */
export function withLedgerErrors<Result>(query: Promise<Result>): Promise<Result> {
  return converting(query, ["bug", "refused", "corrupt"]);
}

/**
 * The result of a query for a page of a list: as `withLedgerErrors`, but the error of a query that took too long is
 * rethrown. To ask for less helps then, and to retry does not.
 */
export function withListErrors<Result>(query: Promise<Result>): Promise<Result> {
  return converting(query, ["bug", "refused", "corrupt", "timeout"]);
}

async function converting<Result>(query: Promise<Result>, rethrown: readonly DatabaseFailure[]): Promise<Result> {
  try {
    return await query;
  } catch (error) {
    if (rethrown.includes(classify(error))) throw error;
    throw new LedgerUnavailableError(
      "the database cannot be read now; nothing was recorded",
      RETRY_AFTER_SECONDS,
      error,
    );
  }
}
