import type { LedgerId } from "../../ledger/entry.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Reader } from "../../ledger/read.ts";
import { reading } from "../reading.ts";
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

// A position is text: the database's instants are finer than a Date.
const DUE = `
  SELECT ledger, id, status, expires_at::text AS due FROM oc_action
   WHERE expires_at IS NOT NULL AND expires_at <= clock_timestamp() AND status IN ('PENDING', 'EXECUTING')
     AND ($2::timestamptz IS NULL OR (expires_at, ledger, id) > ($2::timestamptz, $3::text, $4::uuid))
   ORDER BY expires_at, ledger, id LIMIT $1`;

interface DueRow {
  readonly ledger: LedgerId;
  readonly id: string;
  readonly status: "PENDING" | "EXECUTING";
  readonly due: string;
}

type Settled = "EXPIRED" | "AMBIGUOUS" | "OTHERWISE" | Unsettled;

/**
 * Expires what nobody decided and marks ambiguous what nobody reported, at most `limit` actions, those that fail not
 * counted: one that cannot be read never holds up the ones behind it. Any number of processes may do this at once: the
 * version check lets one of them record each. Throws LedgerUnavailableError when nothing at all can be recorded now.
 */
export async function settleDue(
  { db, executor }: { readonly db: Reader; readonly executor: Executor },
  limit: number,
): Promise<DueSettled> {
  const settled: Settled[] = [];
  let more = true;
  let last: DueRow | undefined;
  while (more && settled.filter(isDone).length < limit) {
    const values = [limit, last?.due, last?.ledger, last?.id];
    const { rows } = await reading(db.query<DueRow>(DUE, values));
    const page = await Promise.all(rows.map((row) => settle(executor, row)));
    const away = page.some(isDone) ? undefined : page.find(isUnavailable);
    if (away !== undefined) throw away.error;
    settled.push(...page);
    last = rows.at(-1);
    more = rows.length === limit;
  }
  return {
    expired: settled.filter((outcome) => outcome === "EXPIRED").length,
    ambiguous: settled.filter((outcome) => outcome === "AMBIGUOUS").length,
    failed: settled.flatMap((outcome) => (isDone(outcome) ? [] : [outcome])),
    more,
  };
}

async function settle(executor: Executor, { ledger, id, status }: DueRow): Promise<Settled> {
  const command = status === "PENDING" ? ({ type: "expire" } as const) : ({ type: "markAmbiguous" } as const);
  try {
    await executor.apply(ledger, id, "system", command);
    return status === "PENDING" ? "EXPIRED" : "AMBIGUOUS";
  } catch (error) {
    // Somebody else was faster: another server's sweep, a decision, a report.
    const moved = error instanceof ActionRefusal && error.code !== "NOT_FOUND";
    return moved ? "OTHERWISE" : { ledger, id, error };
  }
}

function isDone(outcome: Settled): outcome is Exclude<Settled, Unsettled> {
  return typeof outcome === "string";
}

function isUnavailable(outcome: Settled): outcome is Unsettled {
  return !isDone(outcome) && outcome.error instanceof LedgerUnavailableError;
}
