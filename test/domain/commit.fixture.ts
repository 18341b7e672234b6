import type { Caller } from "../../src/domain/identity/principal.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import type { FactDraft } from "../../src/facts/registry.ts";
import type { Queryable } from "../../src/ledger/read.ts";
import { actionState } from "../ledger/scene.ts";

/** A member of `organization`. */
export const memberOf = (organization: string): Caller => ({
  principal: { id: "member", kind: "HUMAN", organization, roles: [], groups: [] },
  client: { name: "test", confidence: "UNKNOWN", modelConfidence: "UNKNOWN", evidence: {} },
});

/** The version of `action` in the database; 0 when there is none. */
export async function versionOf(db: Queryable, ledger: LedgerId, action: string): Promise<number> {
  const { rows } = await db.query<{ version: number }>(
    "SELECT version FROM oc_state WHERE ledger = $1 AND kind = 'ACTION' AND id = $2",
    [ledger, action],
  );
  return rows[0]?.version ?? 0;
}

/** The fact that moves `action` on from `version`. */
export const step = (action: string, version: number) =>
  ({ type: "ACTION_DENIED", ...actionState(action, version + 1, "PENDING") }) as unknown as FactDraft;
