import { instant } from "../../facts/entry.ts";
import type { StateOf } from "../../facts/registry.ts";
import type { Terms } from "./action.ts";
import type { NextState } from "./decide/transition.ts";

/** What every later entry of an action repeats, so that each answers filters by itself. */
export function termFacts(terms: Terms) {
  const { platform, tool, effect, region, chain, sourceChain, digest, policyHash } = terms;
  return { platform, tool, effect, region, chain, sourceChain, digest, policyHash };
}

/** The members that name the action and say where it stands from this entry on. */
export function stateFacts(
  id: string,
  next: NextState,
): { readonly action: string; readonly states: readonly [StateOf<"ACTION">] } {
  const { version, status, approvals, expiresAt, grant } = next;
  const state = {
    status,
    approvals,
    expiresAt: expiresAt && instant(expiresAt),
    grant: grant && { id: grant.id, hash: grant.hash, expiresAt: instant(grant.expiresAt) },
  };
  return { action: id, states: [{ kind: "ACTION", id, version, state }] };
}
