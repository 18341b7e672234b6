import { classify, type DatabaseFailure } from "../db/errors.ts";
import { LedgerDamagedError, LedgerUnavailableError } from "../ledger/errors.ts";

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

const UNREACHABLE: readonly DatabaseFailure[] = ["unavailable", "unknown-commit"];
/** Of pg-pool, where all connections are in use: that says nothing of the database. */
const POOL_IS_FULL = "timeout exceeded when trying to connect";

/** Whether `error` says that a database cannot be reached, or was lost; not one that took too long, or a ledger that is damaged. */
export function isUnreachable(error: unknown): boolean {
  if (!(error instanceof LedgerUnavailableError) || error instanceof LedgerDamagedError) return false;
  const { cause } = error;
  return UNREACHABLE.includes(classify(cause)) && !(cause instanceof Error && cause.message === POOL_IS_FULL);
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
