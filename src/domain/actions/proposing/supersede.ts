import type { ActionStatus } from "../../../facts/areas/actions.ts";
import type { LedgerId } from "../../../facts/entry.ts";
import { LedgerUnavailableError } from "../../../ledger/errors.ts";
import { sameCaller } from "../../identity/people.ts";
import type { Caller } from "../../identity/principal.ts";
import { ActionRefusal, invalidInput, notFound } from "../errors.ts";
import type { Executor } from "../executor.ts";
import type { ActionLoader } from "../loading/loader.ts";

const PATH = ["supersedes"];
/** Final without having run: there is nothing to cancel. */
const OVER: readonly ActionStatus[] = ["DENIED", "BLOCKED", "EXPIRED", "CANCELLED"];

/** Cancels an earlier action in favour of a new one: call `check`, record the new action, then call `settle`. */
export interface Supersede {
  /** Throws ActionRefusal unless the caller can still cancel the earlier action, or it is final already. */
  check(caller: Caller, ledger: LedgerId, earlier: string, id: string): Promise<void>;
  /**
   * Cancels the earlier action in favour of `id`, which is recorded, unless it was decided meanwhile. Calling again changes
   * nothing. Throws LedgerUnavailableError when it could not be cancelled.
   */
  settle(caller: Caller, ledger: LedgerId, earlier: string, id: string): Promise<void>;
}

export interface SupersedeOptions {
  readonly load: ActionLoader;
  readonly executor: Executor;
}

export function createSupersede({ load, executor }: SupersedeOptions): Supersede {
  return {
    async check(caller, ledger, earlier, id) {
      if (earlier === id) throw invalidInput(PATH, "an action cannot supersede itself");
      const loaded = await load({ ledger, id: earlier });
      if (loaded === undefined) throw notFound(PATH);
      const { terms, state } = loaded.situation;
      if (!sameCaller(caller.principal, terms.requestedBy)) {
        throw new ActionRefusal("NOT_ALLOWED", "only the proposer of an action can supersede it", { path: PATH });
      }
      if (state.status === "PENDING" || OVER.includes(state.status)) return;
      const message = `the action is ${state.status} and cannot be superseded`;
      throw new ActionRefusal("NOT_PENDING", message, { path: PATH, action: loaded.view });
    },
    async settle(caller, ledger, earlier, id) {
      try {
        await executor.apply(ledger, earlier, caller, { type: "cancel", by: caller.principal, supersededBy: id });
      } catch (error) {
        if (error instanceof ActionRefusal && (error.code === "NOT_PENDING" || error.code === "EXPIRED")) return;
        if (!(error instanceof LedgerUnavailableError)) throw error;
        const message = "the action is recorded, but what it supersedes is not cancelled yet; repeat the call";
        throw new LedgerUnavailableError(message, error.retryAfterSeconds, error, "UNKNOWN");
      }
    },
  };
}
