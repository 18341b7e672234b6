import { readsOrganization } from "../../domain/visibility/visibility.ts";
import type { Context } from "./context.ts";

/** What a field may ask of its caller. Every root field asks for one of these; a test holds that. */
export interface Scopes {
  /** Anybody whose token is valid. What they are shown is what they may see. */
  readonly signedIn: boolean;
  /** Whoever reads the organization's whole ledger: approvers, auditors and administrators, never agents. */
  readonly readsLedger: boolean;
}

export function scopesOf({ caller }: Context): Scopes {
  return {
    signedIn: caller !== undefined,
    readsLedger: caller !== undefined && readsOrganization(caller.principal),
  };
}
