import type { UnsealedObject } from "../../facts/commitment.ts";
import { instant } from "../../facts/entry.ts";
import type { Terms } from "./action.ts";
import type { NextState } from "./decide/ruling.ts";

/** What every later entry of an action repeats, so that each answers filters by itself. */
export function termFacts(terms: Terms): UnsealedObject {
  const { platform, tool, effect, region, chain, sourceChain, digest, policyHash } = terms;
  return { platform, tool, effect, region, chain, sourceChain, digest, policyHash };
}

/** The `action` member: with it, the append moves the state, if the version is still the one before. */
export function stateFacts(id: string, next: NextState): UnsealedObject {
  const { version, status, approvals, expiresAt, grant } = next;
  return {
    id,
    version,
    status,
    approvals,
    expiresAt: expiresAt && instant(expiresAt),
    grant: grant && { id: grant.id, hash: grant.hash, expiresAt: instant(grant.expiresAt) },
  };
}
