import type { LedgerEntry } from "../../facts/entry.ts";
import type { Hash } from "../../facts/hash.ts";
import { listOf, objectOf, textOf } from "../../facts/members.ts";
import { actorOf } from "../identity/recorded.ts";
import type { Effect } from "../policy/catalog.ts";
import type { Requirement } from "../policy/evaluate.ts";
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
  const { body } = proposal;
  return {
    actionId: textOf(body.action),
    platform: textOf(body.platform),
    tool: textOf(body.tool),
    effect: textOf(body.effect) as Effect,
    region: textOf(body.region),
    chain: textOf(body.chain),
    sourceChain: typeof body.sourceChain === "string" ? body.sourceChain : undefined,
    digest: textOf(body.digest) as Hash,
    policyHash: textOf(objectOf(body.policy).hash) as Hash,
    requestedBy: actorOf(proposal),
    requirements: listOf(objectOf(body.policy).requirements).map((item) => {
      const { id, group, needed } = objectOf(item);
      return { id: textOf(id), group: textOf(group), needed: Number(needed) } satisfies Requirement;
    }),
  };
}
