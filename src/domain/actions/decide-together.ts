import type { LedgerId } from "../../facts/entry.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Caller } from "../identity/principal.ts";
import { decisionBy } from "./decide/attribution.ts";
import type { Approve, Channel, Deny } from "./decide/command.ts";
import { ActionRefusal, invalidInput } from "./errors.ts";
import type { ActionCommand, ActionResult, Executor } from "./executor.ts";
import { checkReason, checkText, MAX_ACTIONS, MAX_NOTE } from "./input.ts";

/** One decision of several. */
export interface JointDecision {
  readonly actionId: string;
  readonly verdict: "APPROVE" | "DENY";
  /** The digest of what the approver was shown. */
  readonly digest: string;
  readonly note?: string | undefined;
  readonly channel: Channel;
}

/** What became of one decision of a batch. */
export type DecideOutcome = ActionResult | ActionRefusal;

/** The command that a decision is. Throws ActionRefusal INVALID_INPUT for a note that cannot be taken, and a denial without one. */
export function decisionCommand(
  caller: Caller,
  decision: Omit<JointDecision, "actionId">,
  grantTtl: number,
): Approve | Deny {
  const { verdict, digest, note, channel } = decision;
  const made = decisionBy(caller, { digest, note, channel });
  checkText(note, "note", MAX_NOTE);
  if (verdict === "APPROVE") return { ...made, type: "approve", grantTtl };
  checkReason(note, "must say why the action is denied");
  return { ...made, type: "deny" };
}

/** Throws ActionRefusal INVALID_INPUT for more decisions than one batch may have. */
export function checkDecisions(count: number): void {
  if (count <= MAX_ACTIONS) return;
  const message = `has ${count} decisions, and at most ${MAX_ACTIONS} can be made together: split it into several calls`;
  throw invalidInput(["decisions"], message);
}

interface Item extends ActionCommand {
  readonly at: number;
}

export interface BatchDeciderOptions {
  readonly executor: Pick<Executor, "applyTogether">;
  /** Seconds. */
  readonly grantTtl: number;
}

/**
 * Decides several actions, as if one were decided after the other. Those on different actions are recorded in one transaction, a
 * further one on the same action once that before it is recorded.
 */
export function createBatchDecider({ executor, grantTtl }: BatchDeciderOptions) {
  /** Returns the outcome of each, in order. Throws ActionRefusal for too many, and LedgerUnavailableError. */
  return async (
    caller: Caller,
    ledger: LedgerId,
    decisions: readonly JointDecision[],
  ): Promise<readonly DecideOutcome[]> => {
    checkDecisions(decisions.length);
    const outcomes = new Array<DecideOutcome>(decisions.length);
    const failures: unknown[] = [];
    let due = decisions.flatMap(({ actionId, ...decision }, at): readonly Item[] => {
      try {
        return [{ at, id: actionId.toLowerCase(), command: decisionCommand(caller, decision, grantTtl) }];
      } catch (error) {
        if (!(error instanceof ActionRefusal)) throw error;
        outcomes[at] = error;
        return [];
      }
    });
    while (due.length > 0 && failures.length === 0) {
      const now = [...new Map(due.toReversed().map((item) => [item.id, item])).values()].sort((a, b) => a.at - b.at);
      const settled = await executor.applyTogether(ledger, caller, now);
      for (const [n, outcome] of settled.entries()) {
        const at = now[n]?.at ?? 0;
        if (outcome.status === "fulfilled") outcomes[at] = outcome.value;
        else if (outcome.reason instanceof ActionRefusal) outcomes[at] = outcome.reason;
        else failures.push(outcome.reason);
      }
      due = due.filter((item) => !now.includes(item));
    }
    if (failures.length > 0) throw failureOf(failures[0], outcomes);
    return outcomes;
  };
}

/** Why a batch has no outcome for some, when others are recorded. */
function failureOf(error: unknown, outcomes: readonly DecideOutcome[]): unknown {
  const isRecorded = outcomes.some((outcome) => outcome !== undefined && outcome.entry !== undefined);
  if (!isRecorded || !(error instanceof LedgerUnavailableError)) return error;
  const message =
    "some of the decisions are recorded and others may not be; look at the actions before you decide again";
  return new LedgerUnavailableError(message, error.retryAfterSeconds, error, "UNKNOWN");
}
