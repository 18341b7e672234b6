import type { LedgerId } from "../../ledger/entry.ts";
import type { Reader } from "../../ledger/read.ts";
import { sameCaller } from "../identity/people.ts";
import type { Caller } from "../identity/principal.ts";
import type { ActionStatus } from "./action.ts";
import { ActionRefusal, notFound } from "./errors.ts";
import type { Executor } from "./executor.ts";
import { loadAction } from "./store.ts";

const PATH = ["supersedes"];
/** Over, without having run and without being able to: there is nothing to take back. */
const OVER: readonly ActionStatus[] = ["DENIED", "BLOCKED", "EXPIRED", "CANCELLED"];

/**
 * Takes back the caller's earlier action before another is proposed in its place, so that both are never open at once.
 * Throws ActionRefusal when it is somebody else's, or when it is too late to take it back.
 */
export function createSupersede({ db, executor }: { readonly db: Reader; readonly executor: Executor }) {
  return async (caller: Caller, ledger: LedgerId, earlier: string, id: string): Promise<void> => {
    const loaded = await loadAction(db, ledger, earlier);
    if (loaded === undefined) throw notFound(PATH);
    const { terms, state } = loaded.situation;
    if (!sameCaller(caller.principal, terms.requestedBy)) {
      throw new ActionRefusal("NOT_ALLOWED", "only the proposer of an action can supersede it", { path: PATH });
    }
    if (OVER.includes(state.status)) return;
    try {
      await executor.execute(ledger, earlier, caller, { type: "cancel", by: caller.principal, supersededBy: id });
    } catch (error) {
      if (!(error instanceof ActionRefusal)) throw error;
      // Decided or expired while we looked: over is over, however it came.
      if (error.code === "EXPIRED" || (error.action && OVER.includes(error.action.state.status))) return;
      throw new ActionRefusal(error.code, error.message, { path: PATH, action: error.action });
    }
  };
}
