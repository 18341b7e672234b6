import { OWN_PLATFORM } from "../../facts/areas/policy.ts";
import { canonicalize } from "../../facts/canonical.ts";
import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import { searchEntries } from "../../ledger/search.ts";
import type { ActionView } from "../actions/action.ts";
import { publishedIn } from "../actions/carry-out.ts";
import { loadActions } from "../actions/loading/store.ts";
import { withListErrors } from "../ledger-errors.ts";
import { PUBLISH_POLICY } from "../policy/floor.ts";
import type { Policies, PublishedPolicy } from "../policy/policies.ts";

/** PROPOSED: waits for approval. SHADOW: evaluated without effect. RETIRED: was in force, or evaluated. REJECTED: never will be. */
export const POLICY_STATES = ["PROPOSED", "ACTIVE", "SHADOW", "RETIRED", "REJECTED"] as const;
export type PolicyStateName = (typeof POLICY_STATES)[number];

/** A policy document of an organization. */
export interface PolicyVersion {
  readonly version: number;
  readonly hash: string;
  /** As it was sent, in YAML or JSON. */
  readonly document: string;
  readonly state: PolicyStateName;
  /** What proposed it; undefined for the policy that servers start with. */
  readonly action: ActionView | undefined;
  /** Where it was proposed; 1 for the policy that servers start with. */
  readonly position: bigint;
}

/** Entries read at a time: a publication has a few. */
const BATCH = 100;
const FIRST_POSITION = 1n;

/** Lists what an organization has proposed and published, from a snapshot of its ledger. */
export interface PolicyVersions {
  /** At most `limit` of those that were proposed before `before`, the latest first. */
  list(
    db: Queryable,
    ledger: LedgerId,
    organization: string,
    page: { readonly before: bigint | undefined; readonly limit: number },
  ): Promise<readonly PolicyVersion[]>;
  /** What `action` proposes; undefined when it is no publication. */
  of(action: ActionView, organization: string): PolicyVersion | undefined;
  /** The version in force. */
  active(db: Queryable, ledger: LedgerId, organization: string): Promise<PolicyVersion>;
  /** The policy that servers start with. */
  first(organization: string): PolicyVersion;
}

export function createPolicyVersions(policies: Policies): PolicyVersions {
  function of(action: ActionView, organization: string): PolicyVersion | undefined {
    const { state, proposal } = action;
    const publishes = publishedIn(proposal);
    if (publishes === undefined) return undefined;
    const { version, hash, document } = publishes;
    const published = policies.publishedBy(organization);
    return {
      version,
      hash,
      document,
      state: stateOf(state.status, version, published),
      action,
      position: proposal.seq,
    };
  }

  function first(organization: string): PolicyVersion {
    const { starter } = policies;
    const { first: recorded, active } = policies.publishedBy(organization);
    const version = recorded?.version ?? starter.version;
    return {
      version,
      hash: recorded?.hash ?? starter.hash,
      document: recorded?.document ?? canonicalize(starter.document),
      state: active === undefined || active.version === version ? "ACTIVE" : "RETIRED",
      action: undefined,
      position: FIRST_POSITION,
    };
  }

  async function list(
    db: Queryable,
    ledger: LedgerId,
    organization: string,
    { before, limit }: { readonly before: bigint | undefined; readonly limit: number },
  ): Promise<readonly PolicyVersion[]> {
    const found: PolicyVersion[] = [];
    for (let end = before; found.length < limit; ) {
      const range = { before: end, limit: BATCH, newestFirst: true };
      const entries = await withListErrors(searchEntries(db, ledger, { tool: PUBLISH_POLICY }, range));
      const actions = await loadActions(
        db,
        ledger,
        entries.filter(isProposal).map(({ body }) => String(body.action)),
      );
      const views = [...actions.values()].sort((one, other) => (one.proposal.seq < other.proposal.seq ? 1 : -1));
      found.push(...views.flatMap((view) => of(view, organization) ?? []));
      end = entries.at(-1)?.seq;
      if (entries.length < BATCH) break;
    }
    if (before === undefined || before > FIRST_POSITION) found.push(first(organization));
    return found.slice(0, limit);
  }

  return {
    of,
    first,
    list,
    async active(db, ledger, organization) {
      const { active } = policies.publishedBy(organization);
      if (active === undefined) return first(organization);
      for (let before: bigint | undefined; ; ) {
        const versions = await list(db, ledger, organization, { before, limit: BATCH });
        const inForce = versions.find(({ state }) => state === "ACTIVE");
        if (inForce !== undefined) return inForce;
        before = versions.at(-1)?.position;
        if (versions.length < BATCH || before === undefined) throw new Error("the policy in force was never proposed");
      }
    },
  };
}

function isProposal({ type, body }: LedgerEntry): boolean {
  return type === "ACTION_PROPOSED" && body.platform === OWN_PLATFORM;
}

function stateOf(status: string, version: number, { active, shadow }: PublishedPolicy): PolicyStateName {
  if (status === "PENDING" || status === "APPROVED") return "PROPOSED";
  if (status !== "SUCCEEDED") return "REJECTED";
  if (active?.version === version) return "ACTIVE";
  return shadow?.version === version ? "SHADOW" : "RETIRED";
}
