import type { ActionStatus } from "../../facts/areas/actions.ts";
import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import type { Hash } from "../../facts/hash.ts";
import type { Approver } from "../../facts/quorum.ts";
import type { LentRight } from "../directory/delegations.ts";
import type { Responsible } from "../directory/organization.ts";
import type { People } from "../identity/people.ts";
import type { Principal } from "../identity/principal.ts";
import type { Effect } from "../policy/catalog.ts";
import type { PolicyOutcome, Requirement } from "../policy/evaluate.ts";
import type { Published } from "../policy/policies.ts";
import type { DelegatedBy } from "./decide/rights.ts";
import type { Shown } from "./loading/first-shown.ts";

/** Types of the entries an action leaves, in the order in which they can come, then those of refused attempts. */
const ACTION_ENTRY_TYPES = [
  "ACTION_PROPOSED",
  "ACTION_APPROVED",
  "ACTION_BROKEN_GLASS",
  "ACTION_DENIED",
  "APPROVAL_REVOKED",
  "ACTION_CANCELLED",
  "ACTION_EXPIRED",
  "GRANT_ISSUED",
  "GRANT_REDEEMED",
  "ACTION_CARRIED_OUT",
  "EXECUTION_EXTENDED",
  "ACTION_COMPLETED",
  "ACTION_AMBIGUOUS",
  "DECISION_REFUSED",
  "GRANT_REFUSED",
] as const;
export type ActionEntryType = (typeof ACTION_ENTRY_TYPES)[number];
export type RefusedEntryType = Extract<ActionEntryType, `${string}_REFUSED`>;

/** A row of `oc_action`: the state of an action. A projection of its entries, changed only with an entry. */
export interface ActionState {
  readonly ledger: LedgerId;
  readonly id: string;
  /** How many entries have changed it; entry n of the action made version n. */
  readonly version: number;
  readonly status: ActionStatus;
  /** Id of the principal that proposed it. */
  readonly agentId: string;
  readonly approvals: number;
  /** PENDING: deadline of the decision. EXECUTING: deadline of the outcome. Otherwise null. */
  readonly expiresAt: Date | null;
  /** When the grant was redeemed; null before. Known where a decision is made, not in lists. */
  readonly startedAt: Date | null;
  readonly grantId: string | null;
  /** SHA-256 of the latest grant token. */
  readonly grantHash: Uint8Array | null;
  /** Until when this action may be started; set as soon as it may be. */
  readonly grantExpiresAt: Date | null;
  readonly proposedSeq: bigint;
  readonly updatedSeq: bigint;
  /** Positions of the entries that changed it, oldest first. */
  readonly entries: readonly bigint[];
}

/** What the proposal fixed for good. */
export interface Terms {
  readonly actionId: string;
  readonly platform: string;
  readonly tool: string;
  readonly effect: Effect;
  readonly region: string;
  readonly chain: string;
  /** The chain the data may have come from; undefined: none is known. */
  readonly sourceChain: string | undefined;
  readonly digest: Hash;
  /** Of the policy the action was evaluated by. */
  readonly policyHash: Hash;
  readonly requestedBy: Principal;
  readonly requirements: readonly Requirement[];
}

/** An action for the API: its state and its proposal. */
export interface ActionView {
  readonly state: ActionState;
  readonly proposal: LedgerEntry;
  /** The approvers so far, while the action is pending; undefined: none, or it is not pending. */
  readonly voters?: readonly Voter[];
  /** True when the proposal was read without its payload. */
  readonly sealed?: boolean;
}

/** Who approved and how, and the position of the entry that says so. */
export interface Voter extends Principal, Omit<Approver, keyof Principal | "isUnknown"> {
  readonly seq: bigint;
  /** The delegation under which they decided; undefined: they decided in their own right. */
  readonly delegatedBy?: DelegatedBy | undefined;
  /** Whether the entry says that they may be a person who asked for the action, or who approved before. */
  readonly isUnknown: boolean;
}

/** What today's policy says of an action that is not started, and how those stand who asked for it and approved it. */
export interface Today {
  /** What the organization has published. */
  readonly published: Published;
  /** Why what it would do is not what was shown; undefined: it is. */
  readonly outdated?: string | undefined;
  readonly outcome: PolicyOutcome;
  readonly requirements: readonly Requirement[];
  /** Ids of the rules that matched, the strictest first. */
  readonly rules: readonly string[];
  /** Id of whoever proposed it, or is the person it is for, and is suspended. */
  readonly suspendedRequester: string | undefined;
  /** Who is responsible for the agents that asked for it. */
  readonly responsible: readonly Responsible[];
  /** Id of an approver who is suspended, or was since they approved. */
  readonly suspendedVoter: string | undefined;
  /** Seconds that people have today, where they are over. */
  readonly ttlOver?: number | undefined;
}

/** Everything that a decision depends on. */
export interface Situation {
  readonly state: ActionState;
  readonly terms: Terms;
  readonly voters: readonly Voter[];
  /** Who approved it alone, where somebody did and it was not started yet. */
  readonly brokenGlass?: Voter | undefined;
  /** When the state last changed, by the database's clock. */
  readonly updatedAt: Date;
  /** Values that a decision rests on are not there: nobody can know what they decide on. */
  readonly contentMissing?: boolean;
  /** Compares people by all that is known of them; undefined: by what their tokens said. */
  readonly people?: People | undefined;
  /** When the action was first shown to the person who decides, and by which channel; undefined: nobody knows. */
  readonly firstShown?: Shown | undefined;
  /** What was lent to who decides: not ended, and void for no other reason than the time. */
  readonly lent?: readonly LentRight[] | undefined;
  /** Undefined for commands that do not depend on it. */
  readonly today?: Today | undefined;
}
