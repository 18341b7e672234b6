import { oversees, readsOrganization } from "../../domain/visibility/visibility.ts";
import type { Context } from "./context.ts";

/** The scopes that a field can require of its caller. Every root field requires one of these; a test checks that. */
export interface Scopes {
  /** Every authenticated caller. The field returns what they may see. */
  readonly signedIn: boolean;
  /** Callers who may read the organization's whole ledger: approvers, auditors and administrators, never agents. */
  readonly readsLedger: boolean;
  /** Auditors and administrators, never agents. */
  readonly oversees: boolean;
}

export function scopesOf({ caller }: Context): Scopes {
  return {
    signedIn: caller !== undefined,
    readsLedger: caller !== undefined && readsOrganization(caller.principal),
    oversees: caller !== undefined && oversees(caller.principal),
  };
}
