import { OWN_PLATFORM } from "../../facts/areas/policy.ts";
import type { LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
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

/** Proposals of the tool that one page looks at: agents can propose it too, and are blocked. */
const MAX_READ = 1_000;
const FIRST_POSITION = 1n;
/** Beyond every other. */
const LAST_POSITION = 2n ** 63n - 1n;

// Without bodies and payloads, which may be large.
const PROPOSALS = {
  name: "oc_read_policy_proposals",
  text: `
    SELECT p.seq, a.id, a.status <> 'BLOCKED' AS is_publication
      FROM (SELECT e.seq, e.action_id FROM oc_audit_log e
             WHERE e.ledger = $1 AND e.tool = $2 AND e.platform = $3 AND e.type = 'ACTION_PROPOSED' AND e.seq < $4
             ORDER BY e.seq DESC LIMIT ${MAX_READ}) p
      JOIN oc_action a ON a.ledger = $1 AND a.id = p.action_id::text
     ORDER BY p.seq DESC`,
};

interface ProposalRow {
  readonly seq: string;
  readonly id: string;
  readonly is_publication: boolean;
}

/** Versions, and where looking for more ended before there were enough; undefined: there are no more, or enough. */
export interface VersionPage {
  readonly versions: readonly PolicyVersion[];
  readonly stoppedAt: bigint | undefined;
}

/** Lists what an organization has proposed and published, from a snapshot of its ledger. */
export interface PolicyVersions {
  /** At most `limit` of those that were proposed before `before`, the latest first. */
  list(
    db: Queryable,
    ledger: LedgerId,
    organization: string,
    page: { readonly before: bigint | undefined; readonly limit: number },
  ): Promise<VersionPage>;
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
    const { starters, starter, active } = policies.publishedBy(organization);
    // The last one before the first publication.
    const document = (active === undefined ? undefined : starters.at(-1)) ?? starter;
    return {
      ...document,
      state: active === undefined || active.version === document.version ? "ACTIVE" : "RETIRED",
      action: undefined,
      position: FIRST_POSITION,
    };
  }

  /** The versions that actions with these ids propose, the latest first. */
  async function load(
    db: Queryable,
    ledger: LedgerId,
    organization: string,
    ids: readonly string[],
  ): Promise<readonly PolicyVersion[]> {
    const actions = await loadActions(db, ledger, ids);
    const versions = [...actions.values()].flatMap((view) => of(view, organization) ?? []);
    return versions.sort((one, other) => (one.position < other.position ? 1 : -1));
  }

  return {
    of,
    first,
    async list(db, ledger, organization, { before, limit }) {
      const end = before ?? LAST_POSITION;
      const values = [ledger, PUBLISH_POLICY, OWN_PLATFORM, end];
      const { rows } = await withListErrors(db.query<ProposalRow>({ ...PROPOSALS, values }));
      const ids = rows.filter(({ is_publication: is }) => is).map(({ id }) => id);
      await policies.open(organization);
      const found = await load(db, ledger, organization, ids.slice(0, limit));
      const isEnd = rows.length < MAX_READ;
      if (ids.length < limit && !isEnd) return { versions: found, stoppedAt: BigInt(rows.at(-1)?.seq ?? 0) };
      const versions = isEnd && end > FIRST_POSITION ? [...found, first(organization)] : found;
      return { versions: versions.slice(0, limit), stoppedAt: undefined };
    },
    async active(db, ledger, organization) {
      await policies.open(organization);
      const { active } = policies.publishedBy(organization);
      if (active?.action === undefined) return first(organization);
      const [version] = await load(db, ledger, organization, [active.action]);
      if (version === undefined) throw new Error("the action that published the policy in force has no row");
      return version;
    },
  };
}

function stateOf(status: string, version: number, { active, shadow }: PublishedPolicy): PolicyStateName {
  if (status === "PENDING" || status === "APPROVED") return "PROPOSED";
  if (status !== "SUCCEEDED") return "REJECTED";
  if (active?.version === version) return "ACTIVE";
  return shadow?.version === version ? "SHADOW" : "RETIRED";
}
