import type { Assurance } from "../../../facts/assurance.ts";
import type { CanonicalText, JsonValue } from "../../../facts/canonical.ts";
import type { Principal } from "../../identity/principal.ts";
import type { PolicyOutcome } from "../../policy/evaluate.ts";

export type Channel = "API" | "CONSOLE" | "SLACK" | "TEAMS" | "WEBHOOK";
export type Outcome = "SUCCEEDED" | "FAILED";

/** Lifetimes are seconds. */
export interface Propose {
  readonly type: "propose";
  readonly outcome: PolicyOutcome;
  /** Id of the grant to issue when the policy permits the action at once. */
  readonly grantId: string;
  readonly approvalTtl: number;
  readonly grantTtl: number;
}

interface DecisionCommand {
  readonly by: Principal;
  /** The digest of what the approver was shown. */
  readonly digest: string;
  readonly note?: string | undefined;
  readonly channel: Channel;
  readonly assurance: Assurance;
  /** The integration that passed it on; undefined: nobody did. */
  readonly submittedBy?: Principal | undefined;
}
export interface Approve extends DecisionCommand {
  readonly type: "approve";
  readonly grantTtl: number;
}
export interface Deny extends DecisionCommand {
  readonly type: "deny";
}

/** One person approves alone, in an emergency. */
export interface BreakGlass {
  readonly type: "breakGlass";
  readonly by: Principal;
  /** The digest of what the person was shown. */
  readonly digest: string;
  readonly reason: string;
  readonly channel: Channel;
  readonly grantTtl: number;
}

/** An approval is taken back by a person. */
export interface RevokeApproval {
  readonly type: "revokeApproval";
  readonly by: Principal;
  readonly note: string;
}
/** The server voids the approvals of a person who was suspended. */
export interface VoidApproval {
  readonly type: "voidApproval";
  /** Id of the approver. */
  readonly approver: string;
}

export interface Cancel {
  readonly type: "cancel";
  readonly by: Principal;
  readonly note?: string | undefined;
  /** The action proposed in its place. */
  readonly supersededBy?: string | undefined;
}

export interface ClaimGrant {
  readonly type: "claimGrant";
  readonly by: Principal;
  readonly grantId: string;
}

/** A grant whose signature, type and issuer were found right. */
export interface PresentedGrant {
  readonly id: string;
  readonly actionId: string;
  readonly audience: string;
  /** Thumbprint of the key it is bound to. */
  readonly key?: string | undefined;
  readonly digest: string;
  readonly expiresAt: Date;
  /** 64 hex digits of the SHA-256 of the token. */
  readonly hash: string;
}
export interface RedeemGrant {
  readonly type: "redeemGrant";
  readonly by: Principal;
  /** Thumbprint of the key the caller proved to hold. */
  readonly key?: string | undefined;
  /** undefined: the token is not a grant of this installation. */
  readonly grant: PresentedGrant | undefined;
  /** The digest of what is about to run. */
  readonly digest: string;
  readonly executionTtl: number;
}

export interface CompleteAction {
  readonly type: "completeAction";
  readonly by: Principal;
  readonly outcome: Outcome;
  readonly result?: CanonicalText<JsonValue> | undefined;
  readonly error?: string | undefined;
}

export interface ResolveAction {
  readonly type: "resolveAction";
  readonly by: Principal;
  readonly outcome: Outcome;
  /** How the administrator knows. */
  readonly note: string;
}

export interface ExtendExecution {
  readonly type: "extendExecution";
  readonly by: Principal;
  /** From now on. */
  readonly seconds: number;
  /** Seconds that an execution may take in all. */
  readonly limit: number;
}

/** Nobody decided in time. */
export interface Expire {
  readonly type: "expire";
}
/** The outcome was not reported in time. */
export interface MarkAmbiguous {
  readonly type: "markAmbiguous";
}

export type Command =
  | Propose
  | Approve
  | Deny
  | BreakGlass
  | RevokeApproval
  | VoidApproval
  | Cancel
  | ClaimGrant
  | RedeemGrant
  | CompleteAction
  | ResolveAction
  | ExtendExecution
  | Expire
  | MarkAmbiguous;

/** Commands on an action that exists. */
export type FollowUp = Exclude<Command, Propose>;
