import type { FindReads, PossibleReads } from "../../lineage/possible-reads.ts";
import type { FindOrigins, Origins } from "../../lineage/sources/origins.ts";
import type { Policy } from "../../policy/evaluate.ts";
import type { KnownSources } from "../../policy/lineage.ts";
import type { Policies } from "../../policy/policies.ts";
import type { Proposal } from "../input.ts";
import { readsBefore } from "./lineage.ts";
import type { Proposed } from "./proposal-entry.ts";

/** Where the data of a proposal may be from. */
export interface Sources {
  /** What was read before in every region; undefined: no policy asks. */
  readonly reads: PossibleReads | undefined;
  /** Of a write; undefined: it is none, or the server itself carries it out. */
  readonly origins: Origins | undefined;
  /** What conditions read of that. */
  readonly known: KnownSources;
}

/** Where the data of proposals may be from, and the policies that it was looked up for. */
export interface LookedUp {
  readonly policy: Policy;
  readonly shadow: Policy | undefined;
  of(proposed: Proposed): Sources;
}

/**
 * Looks up where the data of `all` may be from, which one caller proposes in this order. What it knew when it proposed them was read before, so this is
 * done once, and before proposals wait for each other; again only where the policy is another one than that of `before`. Throws LedgerUnavailableError.
 */
export type LookUpSources = (all: readonly [Proposed, ...Proposed[]], before?: LookedUp) => Promise<LookedUp>;

export interface LookUpOptions {
  readonly policies: Pick<Policies, "of" | "shadowOf">;
  readonly findReads: FindReads;
  readonly findOrigins: FindOrigins;
  /** Whether what was read may be recorded in other regions. */
  readonly partsRegions: boolean;
}

export function createLookUpSources({ policies, findReads, findOrigins, partsRegions }: LookUpOptions): LookUpSources {
  return async (all, before) => {
    const [{ caller, ledger }] = all;
    const { principal } = caller;
    const [policy, shadow] = [policies.of(principal.organization), policies.shadowOf(principal.organization)];
    if (before?.policy === policy && before.shadow === shadow) return before;
    const asking = shadow === undefined ? [policy] : [policy, shadow];
    const isAsked = asking.some(({ readsLineage }) => readsLineage);
    const writes = all.filter(({ own, proposal }) => own === undefined && asking.some((one) => isWrite(one, proposal)));
    const isNeeded = isAsked || (partsRegions && writes.length > 0);
    const readsOf = isNeeded ? await readsBefore(findReads, principal, all, asking) : undefined;
    const { catalog } = policy.document;
    const untrusted = new Set(Object.keys(catalog.platforms).filter((name) => catalog.platforms[name]?.untrusted));
    const origins = new Map<Proposal, Origins>();
    const originsOf = writes.length === 0 ? undefined : await findOrigins(ledger, principal);
    for (const proposed of writes) {
      const { platform, arguments: given, userRequest } = proposed.proposal;
      const everywhere = partsRegions ? readsOf?.(proposed) : undefined;
      const write = { platform, arguments: given.text, userRequest, untrusted, everywhere };
      const found = await originsOf?.(write);
      if (found !== undefined) origins.set(proposed.proposal, found);
    }
    const known = new Map<Proposal, Sources>();
    return {
      policy,
      shadow,
      of(proposed) {
        const { proposal } = proposed;
        const found = known.get(proposal) ?? sourcesOf(proposed);
        known.set(proposal, found);
        return found;
      },
    };

    function sourcesOf(proposed: Proposed): Sources {
      const { proposal } = proposed;
      const [reads, own] = [isAsked ? readsOf?.(proposed) : undefined, origins.get(proposal)];
      return { reads, origins: own, known: { reads, recorded: own?.lineage, unsourced: own?.unsourced } };
    }
  };
}

/** What nobody has catalogued may do anything, so it counts as a write. */
function isWrite(policy: Policy, { platform, tool }: Proposal): boolean {
  return policy.effectOf(platform, tool) !== "READ";
}
