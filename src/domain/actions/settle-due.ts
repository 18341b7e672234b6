import type { LedgerId } from "../../ledger/entry.ts";
import type { Reader } from "../../ledger/read.ts";
import { reading } from "../reading.ts";
import { ActionRefusal } from "./errors.ts";
import type { Executor } from "./executor.ts";

/** What was done about passed deadlines. `found` counts all that were due when looked, up to the limit. */
export interface DueSettled {
  readonly found: number;
  readonly expired: number;
  readonly ambiguous: number;
}

const DUE = `
  SELECT ledger, id, status FROM oc_action
   WHERE expires_at IS NOT NULL AND expires_at <= clock_timestamp() AND status IN ('PENDING', 'EXECUTING')
   ORDER BY expires_at LIMIT $1`;

interface DueRow {
  readonly ledger: LedgerId;
  readonly id: string;
  readonly status: "PENDING" | "EXECUTING";
}

/**
 * Expires what nobody decided and marks ambiguous what nobody reported, at most `limit` actions. Any number of processes
 * may do this at once: the version check lets one of them record each.
 */
export async function settleDue(
  { db, executor }: { readonly db: Reader; readonly executor: Executor },
  limit: number,
): Promise<DueSettled> {
  const { rows } = await reading(db.query<DueRow>(DUE, [limit]));
  const settled = await Promise.all(rows.map((row) => settle(executor, row)));
  return {
    found: rows.length,
    expired: settled.filter((status) => status === "EXPIRED").length,
    ambiguous: settled.filter((status) => status === "AMBIGUOUS").length,
  };
}

async function settle(executor: Executor, { ledger, id, status }: DueRow): Promise<string | undefined> {
  const command = status === "PENDING" ? ({ type: "expire" } as const) : ({ type: "markAmbiguous" } as const);
  try {
    const { action } = await executor.execute(ledger, id, "system", command);
    return action.state.status;
  } catch (error) {
    // Somebody else was faster: another server's sweep, a decision, a report.
    if (error instanceof ActionRefusal) return undefined;
    throw error;
  }
}
