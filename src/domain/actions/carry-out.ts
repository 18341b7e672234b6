import { factOfType } from "../../facts/decode.ts";
import { POLICY_ID } from "../../facts/dependencies.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import type { FactDraft } from "../../facts/registry.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Published } from "../policy/policies.ts";
import type { Terms } from "./action.ts";
import { stateFacts, termFacts } from "./body.ts";
import type { NextState } from "./decide/transition.ts";

/** What the server records with the approval of an action that it carries out itself. */
export interface CarriedOut {
  /** Further members of the approval. */
  readonly rests: Pick<FactDraft<"ACTION_APPROVED">, "policyRecord">;
  /** In the same transaction, after the approval. */
  readonly facts: readonly FactDraft[];
  /** The action from the last of them on. */
  readonly next: NextState;
}

type Publishes = NonNullable<FactDraft<"ACTION_PROPOSED">["publishes"]>;

/** What a proposal would publish, if it is one of the server's own tools. */
export function publishedIn(proposal: LedgerEntry): Exclude<Publishes, { readonly text: string }> | undefined {
  return factOfType(proposal, "ACTION_PROPOSED").publishes;
}

/** Why what was shown to whoever approves `proposal` is not what would come of it; undefined: it is. */
export function outdated(proposal: LedgerEntry, { latest }: Published): string | undefined {
  const publishes = publishedIn(proposal);
  if (publishes === undefined || publishes.base === latest) return undefined;
  return `version ${latest} of the policy was published since, and its differences were shown from version ${publishes.base}`;
}

/** What follows when the action of `proposal` is approved by an entry that leaves it as `approved`: undefined when an agent carries it out. */
export function carriedOut(
  proposal: LedgerEntry,
  terms: Terms,
  approved: NextState,
  published: Published,
): CarriedOut | undefined {
  const publishes = publishedIn(proposal);
  if (publishes === undefined || approved.status !== "APPROVED") return undefined;
  const { record, inForce: before } = published;
  if (before === undefined) throw new LedgerUnavailableError("the policy of the organization is being read; retry", 1);
  const { mode, version, hash } = publishes;
  const inForce =
    mode === "ACTIVE" ? { version, hash } : { version: before.version, hash: before.hash, shadow: { version, hash } };
  const next: NextState = {
    version: approved.version + 1,
    approvals: approved.approvals,
    status: "SUCCEEDED",
    grant: approved.grant,
  };
  const facts: readonly FactDraft[] = [
    {
      type: "POLICY_PUBLISHED",
      publication: {
        action: terms.actionId,
        actionVersion: approved.version,
        mode,
        version,
        hash,
        document: publishes.document,
      },
      status: "APPROVED",
      states: [{ kind: "POLICY", id: POLICY_ID, version: record + 1, state: { ...inForce, latest: version } }],
    },
    { ...termFacts(terms), type: "ACTION_CARRIED_OUT", ...stateFacts(terms.actionId, next) },
  ];
  return { rests: { policyRecord: record }, facts, next };
}
