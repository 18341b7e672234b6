import type { LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import { ActionRefusal } from "./errors.ts";
import type { Executor } from "./executor.ts";

/** Days for which a grant lives at most (GRANT_TTL), and one more. */
const DAYS = 31;

// Rows only tell where to look: each action is decided on from its entries.
const APPROVED = `
  SELECT DISTINCT s.id
    FROM oc_audit_log e JOIN oc_state s ON s.ledger = e.ledger AND s.kind = 'ACTION' AND s.id = e.action_id::text
   WHERE e.ledger = $1 AND e.actor_id = ANY ($2::text[]) AND e.type IN ('ACTION_APPROVED', 'ACTION_BROKEN_GLASS') AND s.status = 'APPROVED'
     AND e.recorded_at > statement_timestamp() - make_interval(days => ${DAYS})`;

/**
 * Voids what `principalId` approved in `ledger`, or one of `delegates` in their place, and nobody started yet. Throws
 * LedgerUnavailableError.
 */
export function createVoidApprovals({
  db,
  executor,
}: {
  readonly db: Queryable;
  readonly executor: Pick<Executor, "apply">;
}) {
  return async (ledger: LedgerId, principalId: string, delegates: readonly string[]): Promise<void> => {
    const approvers = [principalId, ...delegates];
    const { rows } = await withLedgerErrors(db.query<{ id: string }>(APPROVED, [ledger, approvers]));
    for (const { id } of rows) {
      try {
        await executor.apply(ledger, id, "system", { type: "voidApproval", approver: principalId });
      } catch (error) {
        // Started, denied or expired meanwhile.
        if (!(error instanceof ActionRefusal)) throw error;
      }
    }
  };
}
