import type { ActionStatus, DecisionRefusal, GrantRefusal } from "../../../facts/areas/actions.ts";
import type { FactDraft, StateOf } from "../../../facts/registry.ts";
import type { ActionEntryType, RefusedEntryType } from "../action.ts";
import type { termFacts } from "../body.ts";
import type { ActionRefusalCode } from "../errors.ts";

/** The state of an action after an entry. `version` counts the entries that changed the action, this one included. */
export interface NextState {
  readonly version: number;
  readonly status: ActionStatus;
  readonly approvals: number;
  readonly expiresAt?: Date | undefined;
  readonly startedAt?: Date | undefined;
  readonly grant?: NextGrant | undefined;
}

/** Without an id: the action may be started until `expiresAt`, and its grant has not been claimed. */
export interface NextGrant {
  readonly id?: string | undefined;
  /** 64 hex digits of the SHA-256 of the token; a grant with an id and no hash is still to be signed. */
  readonly hash?: string | undefined;
  readonly expiresAt: Date;
}

/** A type of entry that changes an existing action. */
type StepType = Exclude<ActionEntryType, "ACTION_PROPOSED" | RefusedEntryType>;
/** The members of such an entry without the actor, the terms of the proposal and the new state. */
export type StepFact = {
  [Type in StepType]: Omit<FactDraft<Type>, keyof ReturnType<typeof termFacts> | "action" | "states" | "type"> & {
    readonly type: Type;
  };
}[StepType];

/** The command is permitted: the entry to record, and the state it leads to. */
export interface Transition {
  readonly kind: "transition";
  readonly fact: StepFact;
  readonly next: NextState;
  /** What else the entry moves. */
  readonly alsoMoves?: readonly StateOf<"GLASS">[];
  /** The deadline that had not passed. The append refuses the entry at or after this instant. */
  readonly notAfter?: Date | undefined;
}

interface Refused<Code extends ActionRefusalCode, RecordedAs extends RefusedEntryType | undefined> {
  readonly kind: "refusal";
  readonly code: Code;
  readonly message: string;
  readonly path?: readonly string[];
  readonly recordedAs: RecordedAs;
}

/** A command to collect or spend a grant is refused. The attempt is recorded. */
export type RefusedGrant = Refused<GrantRefusal, "GRANT_REFUSED">;
/** The command is refused. With `recordedAs`, the attempt is recorded as an entry of that type. */
export type RefusedCommand =
  | Refused<DecisionRefusal, "DECISION_REFUSED">
  | RefusedGrant
  | (Omit<Refused<ActionRefusalCode, undefined>, "recordedAs"> & { readonly recordedAs?: undefined });

export type TransitionResult = Transition | RefusedCommand;

export function secondsAfter(moment: Date, seconds: number): Date {
  return new Date(moment.getTime() + seconds * 1000);
}
