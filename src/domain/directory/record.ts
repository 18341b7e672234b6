import type { State, StateKind, StateOf } from "../../facts/registry.ts";

/** What is decided about a principal. Never an erasable value: names and addresses are the entries' `subject`. */
export type PrincipalState = State<"PRINCIPAL">;
/** The public half of a key pair as a JWK (RFC 7517); `kid` is its RFC 7638 thumbprint. */
export type PublicJwk = NonNullable<PrincipalState["gatewayKey"]>;
/** A revoked token, by `<issuer> <jti>`, or `* <jti>` for any issuer. */
export type TokenState = State<"TOKEN">;
/** The one-time code of the first administrator. */
export type SetupState = State<"SETUP">;

/** The settings of an organization. */
export type OrganizationState = State<"ORGANIZATION">;

/** Which policy documents are in force. */
export type PolicyState = State<"POLICY">;

/** A right to approve that a person lent. */
export type DelegationState = State<"DELEGATION">;
/** The same with its id, and the position of the entry that made it. */
export interface Delegation extends DelegationState {
  readonly id: string;
  readonly madeSeq: bigint;
}

/** The kinds of thing a directory has. */
export type RecordKind = Extract<StateKind, "PRINCIPAL" | "TOKEN" | "SETUP" | "ORGANIZATION" | "POLICY" | "DELEGATION">;

/** One thing of a directory as its latest entry left it. Version 1 was its first. */
export interface DirectoryRecord<State> {
  readonly version: number;
  readonly state: State;
  readonly updatedSeq: bigint;
}

/** A thing that an entry of the directory moves: the append moves the record, if its version is still the one before. */
export type Moved<Kind extends RecordKind = RecordKind> = StateOf<Kind>;

/** The id of the only ORGANIZATION record. */
export const ORGANIZATION_ID = "organization";
/** The id of the only SETUP record. */
export const ADMINISTRATOR = "administrator";
