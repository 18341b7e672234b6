import type { LedgerId } from "../../facts/entry.ts";
import { DraftRefusedError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Reader } from "../../ledger/read.ts";
import { callerFacts } from "../identity/recorded.ts";
import { reading } from "../reading.ts";
import { workOff } from "../work-off.ts";
import { endFacts } from "./facts.ts";

/** A session that is over and whose end could not be recorded. */
export interface UnsettledSession {
  readonly ledger: LedgerId;
  readonly id: string;
  readonly error: unknown;
}

/** What was done about sessions that are over. */
export interface DueSessionsSettled {
  readonly expired: number;
  /** Left as they are, each for its own reason; the others were ended all the same. */
  readonly failed: readonly UnsettledSession[];
  /** Whether others may still be due. */
  readonly more: boolean;
}

// A position is text: the database's instants are finer than a Date. The moment is the statement's: an index can be asked
// for what lies before one that stays, and with `clock_timestamp()` every open session would be looked at.
const DUE = `
  SELECT ledger, id, conversation, expires_at::text AS due FROM oc_session
   WHERE NOT ended AND expires_at IS NOT NULL AND expires_at <= statement_timestamp()
     AND ($2::timestamptz IS NULL OR (expires_at, ledger, id) > ($2::timestamptz, $3::text, $4::uuid))
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
export async function settleDueSessions(
  { db, ledgers }: { readonly db: Reader; readonly ledgers: Pick<Ledgers, "append"> },
  limit: number,
): Promise<DueSessionsSettled> {
  const read = async (last: DueRow | undefined) => {
    const { rows } = await reading(db.query<DueRow>(DUE, [limit, last?.due, last?.ledger, last?.id]));
    return rows;
  };
  const { done, failed, more } = await workOff(limit, read, (row) => expire(ledgers, row));
  return {
    expired: done.filter((ended) => ended).length,
    failed: failed.map(({ row: { ledger, id }, error }) => ({ ledger, id, error })),
    more,
  };
}

/** False when somebody else was faster: another server's sweep, or its owner. */
async function expire(ledgers: Pick<Ledgers, "append">, { ledger, id, conversation }: DueRow): Promise<boolean> {
  try {
    await ledgers.append(ledger, { ...callerFacts("system"), ...endFacts(id, conversation, "EXPIRED") });
    return true;
  } catch (error) {
    if (error instanceof DraftRefusedError && error.code === "VERSION") return false;
    throw error;
  }
}
