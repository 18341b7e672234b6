import type { PrincipalKind } from "../identity/principal.ts";

// Types and not interfaces: what goes into an entry has to be JSON, which only those are known to be.

/** The public half of a key pair as a JWK (RFC 7517); `kid` is its RFC 7638 thumbprint. */
export type PublicJwk = {
  readonly kid: string;
  readonly kty: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
  readonly n?: string;
  readonly e?: string;
};

/** What is decided about a principal. Never an erasable value: names and addresses are the entries' `subject`. */
export type PrincipalState = {
  readonly kind: PrincipalKind;
  readonly suspended: boolean;
  /** Roles given here; a token may claim further ones. */
  readonly roles: readonly string[];
  /** Of an invited agent: the id of the person who answers for it. */
  readonly owner?: string;
  /** Of an invited agent: RFC 3339, by the clock of the server that invited it. */
  readonly invitedAt?: string;
  /** Platforms it may act on; undefined: those of the catalog. */
  readonly platforms?: readonly string[];
  /** RFC 7638 thumbprint of the key its tokens must be bound to. */
  readonly key?: string;
  /** The key that its statements as a gateway are signed with. */
  readonly gatewayKey?: PublicJwk;
};

/** A token that is believed no more, by `<issuer> <jti>`, or `* <jti>` whoever issued it. */
export type TokenState = {
  readonly revoked: true;
};

/** The one-time code of the first administrator. */
export type SetupState = {
  /** SHA-256 of the code, in hex. */
  readonly hash: string;
  /** RFC 3339. */
  readonly expiresAt: string;
  /** Wrong codes that were tried. */
  readonly attempts: number;
  /** The id of whoever used it. */
  readonly usedBy?: string;
};

/** The kinds of thing a directory has, with what is known of each. */
export interface States {
  readonly PRINCIPAL: PrincipalState;
  readonly TOKEN: TokenState;
  readonly SETUP: SetupState;
}
export type RecordKind = keyof States;

/** One thing of a directory as its latest entry left it. Version 1 was its first. */
export interface DirectoryRecord<State> {
  readonly version: number;
  readonly state: State;
  readonly updatedSeq: bigint;
}

/** The `directory` member of an entry's body: with it, the append moves the record, if its version is still the one before. */
export interface Moved<Kind extends RecordKind = RecordKind> {
  readonly kind: Kind;
  readonly id: string;
  readonly version: number;
  readonly state: States[Kind];
}

/** The id of the only SETUP record. */
export const ADMINISTRATOR = "administrator";
