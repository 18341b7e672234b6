import { classify } from "../db/errors.ts";
import { LedgerUnavailableError } from "../ledger/errors.ts";

const RETRY_AFTER_SECONDS = 1;

/**
 * The outcome of a query that a decision rests on. A database that cannot answer now is a ledger that cannot be written
 * either, and is reported as one: LedgerUnavailableError. Any other failure is thrown as it is.
 */
export async function reading<Result>(query: Promise<Result>): Promise<Result> {
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
