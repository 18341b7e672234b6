import type { ActionStatus } from "../../../facts/actions.ts";
import type { FactDraft } from "../../../facts/registry.ts";
import type { ActionEntryType, RefusedEntryType } from "../action.ts";
import type { termFacts } from "../body.ts";
import type { ActionRefusalCode } from "../errors.ts";

/** The state an entry leads to. `version` is the number of the entry that makes it. */
export interface NextState {
  readonly version: number;
  readonly status: ActionStatus;
  readonly approvals: number;
  readonly expiresAt?: Date | undefined;
  readonly grant?: NextGrant | undefined;
}

/** Without an id: the action may be started until `expiresAt`, and nobody has collected its grant yet. */
export interface NextGrant {
  readonly id?: string | undefined;
  /** 64 hex digits of the SHA-256 of the token; a grant with an id and no hash is still to be signed. */
  readonly hash?: string | undefined;
  readonly expiresAt: Date;
}

/** A type of entry that changes an action that exists. */
type StepType = Exclude<ActionEntryType, "ACTION_PROPOSED" | RefusedEntryType>;
/** What such an entry says beside who acted, what the proposal fixed and where the action stands then. */
export type StepFact = {
  [Type in StepType]: Omit<FactDraft<Type>, keyof ReturnType<typeof termFacts> | "action" | "states" | "type"> & {
    readonly type: Type;
  };
}[StepType];

/** Yes: one entry, and the state it leads to. */
export interface Change {
  readonly kind: "change";
  readonly fact: StepFact;
  readonly next: NextState;
  /** The deadline this came before. At that instant it is too late to record, however long it waited. */
  readonly notAfter?: Date | undefined;
}

/** No. With `recordedAs`, the attempt itself is an entry. */
export interface Refusal {
  readonly kind: "refusal";
  readonly code: ActionRefusalCode;
  readonly message: string;
  readonly path?: readonly string[];
  readonly recordedAs?: RefusedEntryType;
}

export type Ruling = Change | Refusal;

export function later(moment: Date, seconds: number): Date {
  return new Date(moment.getTime() + seconds * 1000);
}
