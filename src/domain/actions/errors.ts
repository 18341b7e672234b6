import { Refusal } from "../../errors.ts";
import { DECISION_REFUSALS, GRANT_REFUSALS } from "../../facts/areas/actions.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import type { ActionView } from "./action.ts";

/** The codes of refused commands on actions. Codes are API and never change; messages may. */
export const ACTION_REFUSAL_CODES = [
  // input
  "INVALID_INPUT",
  "NOT_FOUND",
  "IDEMPOTENCY_KEY_REUSED",
  // for the proposer
  "NOT_ALLOWED",
  "NOT_APPROVED",
  "NOT_EXECUTING",
  "NOT_AMBIGUOUS",
  "EXECUTION_LIMIT",
  "NO_BREAK_GLASS",
  "ALREADY_REVIEWED",
  // attempts that are entries
  ...DECISION_REFUSALS,
  ...GRANT_REFUSALS,
] as const;
export type ActionRefusalCode = (typeof ACTION_REFUSAL_CODES)[number];

/** An expected refusal, with the action in its current state and the entry that records the refusal, if there are any. */
export class ActionRefusal extends Refusal<ActionRefusalCode> {
  readonly action: ActionView | undefined;
  readonly entry: LedgerEntry | undefined;

  constructor(
    code: ActionRefusalCode,
    message: string,
    options: {
      readonly path?: readonly string[];
      readonly action?: ActionView | undefined;
      readonly entry?: LedgerEntry | undefined;
    } = {},
  ) {
    super(code, message, options.path === undefined ? {} : { path: options.path });
    this.action = options.action;
    this.entry = options.entry;
  }
}

/** An invalid input. `path` is that of the member at fault. */
export function invalidInput(path: readonly string[], message: string): ActionRefusal {
  return new ActionRefusal("INVALID_INPUT", message, { path });
}

/** Also for actions of another organization: the caller must not learn that they exist. */
export function notFound(path: readonly string[]): ActionRefusal {
  return new ActionRefusal("NOT_FOUND", "there is no such action", { path });
}
