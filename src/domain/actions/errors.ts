import { Refusal } from "../../errors.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import type { ActionView } from "./action.ts";

/** Why an action was not taken further. Each code is API: messages may change, codes may not. */
export const ACTION_REFUSAL_CODES = [
  // the call itself
  "INVALID_INPUT",
  "NOT_FOUND",
  "IDEMPOTENCY_KEY_REUSED",
  // decisions
  "AGENT_CANNOT_DECIDE",
  "REQUESTER_CANNOT_DECIDE",
  "NOT_ELIGIBLE",
  "ALREADY_VOTED",
  "NOT_PENDING",
  "EXPIRED",
  "DIGEST_MISMATCH",
  // the proposer's part
  "NOT_ALLOWED",
  "NOT_APPROVED",
  "NOT_EXECUTING",
  // grants
  "GRANT_INVALID",
  "GRANT_FOREIGN",
  "GRANT_VOID",
  "GRANT_SPENT",
  "GRANT_EXPIRED",
] as const;
export type ActionRefusalCode = (typeof ACTION_REFUSAL_CODES)[number];

/** An expected no. `action` is the action as it stands, `entry` the refusal as recorded, where there is one. */
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

/** An input no action can be made of. `path` leads to the offending member. */
export function invalidInput(path: readonly string[], message: string): ActionRefusal {
  return new ActionRefusal("INVALID_INPUT", message, { path });
}

/** Also for everything of another organization: whether it exists is none of the caller's business. */
export function notFound(path: readonly string[]): ActionRefusal {
  return new ActionRefusal("NOT_FOUND", "there is no such action", { path });
}
