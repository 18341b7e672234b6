import { LedgerDamagedError, LedgerUnavailableError } from "../ledger/errors.ts";

/** The outcome of settling rows that were due. */
export interface SettledRows<Row, Outcome> {
  readonly done: readonly Outcome[];
  /** Rows that could not be settled, with the error of each. They do not keep other rows from being settled. */
  readonly failed: readonly { readonly row: Row; readonly error: unknown }[];
  /** Whether more rows may be due. */
  readonly more: boolean;
}

/**
 * Settles rows that are due until `limit` are settled; failed rows do not count, so they never block the rows after them.
 * `read` returns the next `limit` rows after the given one, in a stable order. Throws LedgerUnavailableError when all rows
 * of a page fail because the ledger is unavailable, which one damaged row does not make it.
 */
export async function settleRows<Row, Outcome>(
  limit: number,
  read: (last: Row | undefined) => Promise<readonly Row[]>,
  settle: (row: Row) => Promise<Outcome>,
): Promise<SettledRows<Row, Outcome>> {
  const done: Outcome[] = [];
  const failed: { readonly row: Row; readonly error: unknown }[] = [];
  let more = true;
  let last: Row | undefined;
  while (more && done.length < limit) {
    const rows = await read(last);
    const outcomes = await Promise.allSettled(rows.map(settle));
    const errors = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
    const unavailable = errors.find(
      (error) => error instanceof LedgerUnavailableError && !(error instanceof LedgerDamagedError),
    );
    if (unavailable !== undefined && errors.length === rows.length) throw unavailable;
    for (const [index, row] of rows.entries()) {
      const outcome = outcomes[index];
      if (outcome?.status === "fulfilled") done.push(outcome.value);
      else failed.push({ row, error: outcome?.reason });
    }
    last = rows.at(-1);
    more = rows.length === limit;
  }
  return { done, failed, more };
}
