import { instant } from "../../facts/entry.ts";
import type { StateOf } from "../../facts/registry.ts";
import type { Terms } from "./action.ts";
import type { NextState } from "./decide/transition.ts";

/** The members that every later entry of an action repeats, so that searches find each entry by them. */
export function termFacts(terms: Terms) {
  const { platform, tool, effect, region, chain, sourceChain, digest, policyHash } = terms;
  return { platform, tool, effect, region, chain, sourceChain, digest, policyHash };
}

/** The members with the id of the action and its state from this entry on. */
export function stateFacts(
  id: string,
  next: NextState,
): { readonly action: string; readonly states: readonly [StateOf<"ACTION">] } {
  const { version, status, approvals, expiresAt, startedAt, grant } = next;
  const state = {
    status,
    approvals,
    expiresAt: expiresAt && instant(expiresAt),
    startedAt: startedAt && instant(startedAt),
    grant: grant && { id: grant.id, hash: grant.hash, expiresAt: instant(grant.expiresAt) },
  };
  return { action: id, states: [{ kind: "ACTION", id, version, state }] };
}
