import type { LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { CommitFunction } from "../commit.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import { settleRows } from "../settle-rows.ts";
import { endFacts } from "./facts.ts";
import { findSessions } from "./store.ts";

/** An expired session, and the error that kept its end from being recorded. */
export interface UnsettledSession {
  readonly ledger: LedgerId;
  readonly id: string;
  readonly error: unknown;
}

interface SettleOptions {
  readonly db: Queryable;
  readonly commit: CommitFunction;
}

/** What was done about sessions that are over. */
export interface DueSessionsSettled {
  readonly expired: number;
  /** Left as they are, each for its own reason; the others were ended all the same. */
  readonly failed: readonly UnsettledSession[];
  /** Whether others may still be due. */
  readonly more: boolean;
}

// The deadline in a position is text, because the database's instants are finer than a Date. `statement_timestamp()` is
// constant during the statement, so an index can be used; with `clock_timestamp()` every open session would be read.
const DUE = `
  SELECT ledger, id, conversation, expires_at::text AS due FROM oc_state
   WHERE kind = 'SESSION' AND expires_at IS NOT NULL AND expires_at <= statement_timestamp()
     AND ($2::timestamptz IS NULL OR (expires_at, ledger, id) > ($2::timestamptz, $3::text, $4::text))
   ORDER BY expires_at, ledger, id LIMIT $1`;

interface DueRow {
  readonly ledger: LedgerId;
  readonly id: string;
  readonly conversation: string;
  readonly due: string;
}

/**
 * Records the end of sessions that are over and that nobody ended, at most `limit`. Any number of processes may do this at
 * once: the version check lets one of them record each. Throws LedgerUnavailableError when nothing can be recorded now.
 */
export async function settleDueSessions(options: SettleOptions, limit: number): Promise<DueSessionsSettled> {
  const read = async (last: DueRow | undefined) => {
    const { rows } = await withLedgerErrors(options.db.query<DueRow>(DUE, [limit, last?.due, last?.ledger, last?.id]));
    return rows;
  };
  const { done, failed, more } = await settleRows(limit, read, (row) => expire(options, row));
  return {
    expired: done.filter((ended) => ended).length,
    failed: failed.map(({ row: { ledger, id }, error }) => ({ ledger, id, error })),
    more,
  };
}

/** False when somebody else was faster: another server's sweep, or its owner. */
function expire({ db, commit }: SettleOptions, { ledger, id, conversation }: DueRow): Promise<boolean> {
  return commit<boolean, boolean>({
    ledger,
    by: "system",
    // What is due by the row of a session is due by its entries: they are compared.
    load: async () => (await findSessions(db, ledger, [id])).some(({ ended }) => ended === undefined),
    decide: (isOpen) =>
      isOpen
        ? {
            kind: "record",
            fact: endFacts(id, conversation, "EXPIRED"),
            result: () => true,
            lost: async () => ({ result: false }),
          }
        : { kind: "done", result: false },
  });
}
