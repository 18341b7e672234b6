import { factOfType } from "../../facts/decode.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import { actorOf } from "../identity/recorded.ts";
import type { Terms } from "./action.ts";

const known = new WeakMap<LedgerEntry, Terms>();

/** What an ACTION_PROPOSED entry fixed. Our own hashed bytes: their shape is trusted. */
export function termsOf(proposal: LedgerEntry): Terms {
  let terms = known.get(proposal);
  if (terms === undefined) {
    terms = read(proposal);
    known.set(proposal, terms);
  }
  return terms;
}

function read(proposal: LedgerEntry): Terms {
  const { action, policy, digest, sourceChain, ...fact } = factOfType(proposal, "ACTION_PROPOSED");
  return {
    actionId: action,
    platform: fact.platform,
    tool: fact.tool,
    effect: fact.effect,
    region: fact.region,
    chain: fact.chain,
    sourceChain,
    digest,
    policyHash: policy.hash,
    requestedBy: actorOf(proposal),
    requirements: policy.requirements,
  };
}
