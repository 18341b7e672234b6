import type { LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import { settleRows } from "../settle-rows.ts";
import { ActionRefusal } from "./errors.ts";
import type { Executor } from "./executor.ts";

/** An action whose deadline has passed and that could not be settled. */
export interface Unsettled {
  readonly ledger: LedgerId;
  readonly id: string;
  readonly error: unknown;
}

/** What was done about passed deadlines. */
export interface DueSettled {
  readonly expired: number;
  readonly ambiguous: number;
  /** Left as they are, each for its own reason; the others were settled all the same. */
  readonly failed: readonly Unsettled[];
  /** Whether others may still be due. */
  readonly more: boolean;
}

// The deadline in a position is text, because the database's instants are finer than a Date. `statement_timestamp()` is
// constant during the statement, so an index can be used; with `clock_timestamp()` every waiting row would be read.
const DUE = `
  SELECT ledger, id, status, expires_at::text AS due FROM oc_action
   WHERE expires_at IS NOT NULL AND expires_at <= statement_timestamp() AND status IN ('PENDING', 'EXECUTING')
     AND ($2::timestamptz IS NULL OR (expires_at, ledger, id) > ($2::timestamptz, $3::text, $4::text))
   ORDER BY expires_at, ledger, id LIMIT $1`;

interface DueRow {
  readonly ledger: LedgerId;
  readonly id: string;
  readonly status: "PENDING" | "EXECUTING";
  readonly due: string;
}

/**
 * Expires what nobody decided and marks ambiguous what nobody reported, at most `limit` actions. Any number of processes
 * may do this at once: the version check lets one of them record each. Throws LedgerUnavailableError when nothing at all
 * can be recorded now.
 */
export async function settleDue(
  { db, executor }: { readonly db: Queryable; readonly executor: Pick<Executor, "apply"> },
  limit: number,
): Promise<DueSettled> {
  const read = async (last: DueRow | undefined) => {
    const { rows } = await withLedgerErrors(db.query<DueRow>(DUE, [limit, last?.due, last?.ledger, last?.id]));
    return rows;
  };
  const { done, failed, more } = await settleRows(limit, read, (row) => settle(executor, row));
  return {
    expired: done.filter((outcome) => outcome === "EXPIRED").length,
    ambiguous: done.filter((outcome) => outcome === "AMBIGUOUS").length,
    failed: failed.map(({ row: { ledger, id }, error }) => ({ ledger, id, error })),
    more,
  };
}

async function settle(
  executor: Pick<Executor, "apply">,
  { ledger, id, status }: DueRow,
): Promise<"EXPIRED" | "AMBIGUOUS" | "MOVED"> {
  const command = status === "PENDING" ? ({ type: "expire" } as const) : ({ type: "markAmbiguous" } as const);
  try {
    await executor.apply(ledger, id, "system", command);
    return status === "PENDING" ? "EXPIRED" : "AMBIGUOUS";
  } catch (error) {
    // Somebody else was faster: another server's sweep, a decision, a report.
    if (error instanceof ActionRefusal && error.code !== "NOT_FOUND") return "MOVED";
    throw error;
  }
}
