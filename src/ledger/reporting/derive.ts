import { stateIn } from "../../facts/decode.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import type { Fact } from "../../facts/registry.ts";
import { provenFact } from "../proof.ts";
import type { Collected, Principal } from "./collect.ts";
import { addEdges } from "./edges.ts";
import { type ActionChange, cut, type DecisionRow } from "./rows.ts";

/** Increase this when other rows are derived from the same entries: they are derived again then. */
export const DERIVATION = 1;

/**
 * Adds to `collected` what `entry` says. Only values of its hashed bytes are used.
 *
 * @throws LedgerDamagedError for an entry that is not what its type says.
 */
export function addEntry(collected: Collected, entry: LedgerEntry): void {
  const fact = provenFact(entry.ledger, entry);
  switch (fact.type) {
    case "ACTION_PROPOSED":
      addProposal(collected, entry, fact);
      break;
    case "ACTION_APPROVED":
      addDecision(collected, entry, fact, "APPROVAL");
      break;
    case "ACTION_DENIED":
      addDecision(collected, entry, fact, "DENIAL");
      break;
    case "DECISION_REFUSED":
      addDecision(collected, entry, fact, "REFUSED");
      break;
    case "APPROVAL_REVOKED":
      collected.decisions.push(decisionRow(collected, entry, fact, { kind: "REVOCATION" }));
      collected.change({ ...changeOf(entry, fact), decided_utc: entry.recordedAt });
      break;
    case "ACTION_BROKEN_GLASS": {
      const { channel } = fact;
      const said = { kind: "BREAK_GLASS", verdict: "APPROVE", channel } as const;
      collected.decisions.push(decisionRow(collected, entry, fact, said));
      collected.change({ ...changeOf(entry, fact), ...decidedAt(entry), is_break_glass: 1 });
      break;
    }
    case "BREAK_GLASS_REVIEWED":
      collected.decisions.push(decisionRow(collected, entry, fact, { kind: "REVIEW", verdict: fact.verdict }));
      collected.change({ action_id: fact.action, break_glass_review: fact.verdict });
      break;
    case "GRANT_REDEEMED":
      collected.change({ ...changeOf(entry, fact), started_utc: entry.recordedAt });
      break;
    case "ACTION_COMPLETED":
      collected.change({ ...changeOf(entry, fact), ...completedBy(entry), latency_ms: fact.latencyMs });
      break;
    case "ACTION_CARRIED_OUT":
      collected.change({ ...changeOf(entry, fact), ...completedBy(entry) });
      break;
    case "ACTION_CANCELLED":
    case "ACTION_EXPIRED":
    case "GRANT_ISSUED":
    case "EXECUTION_EXTENDED":
    case "ACTION_AMBIGUOUS":
      collected.change(changeOf(entry, fact));
      break;
    case "PRINCIPAL_INVITED":
    case "PRINCIPAL_UPDATED":
    case "PRINCIPAL_SUSPENDED":
    case "PRINCIPAL_REINSTATED":
    case "PRINCIPAL_ROLES_CHANGED":
      addPrincipal(collected, entry, fact.subject);
      break;
  }
}

function addProposal(collected: Collected, entry: LedgerEntry, fact: Fact<"ACTION_PROPOSED">): void {
  const { policy } = fact;
  const sources = addEdges(collected, entry, fact);
  collected.actions.set(fact.action, {
    ...changeOf(entry, fact),
    proposed_seq: String(entry.seq),
    proposed_hash: entry.hash,
    proposed_utc: entry.recordedAt,
    agent_key: collected.principal(entry, fact.actor),
    on_behalf_of_key: fact.onBehalfOf && collected.principal(entry, fact.onBehalfOf),
    tool_key: collected.tool(entry, fact),
    platform_key: collected.platform(entry, fact),
    effect: fact.effect,
    platform_region: cut(fact.region),
    target_region: fact.targetRegion && cut(fact.targetRegion),
    client: fact.client && cut(fact.client.name),
    model: fact.client?.model && cut(fact.client.model),
    chain_id: fact.chain,
    source_chain_id: fact.sourceChain,
    policy_version: policy.version,
    policy_outcome: policy.outcome,
    policy_rule: policy.rules[0] && cut(policy.rules[0].ruleId),
    approvals_needed: policy.requirements.reduce((total, { needed }) => total + needed, 0),
    observed_sources: sources.observed,
    possible_sources: sources.possible,
    omitted_sources: fact.lineage?.left ?? 0,
    unread_regions: fact.lineage?.unread?.length ?? 0,
    ...valuesOf(fact.lineage?.origins),
  });
}

type Origins = NonNullable<Fact<"ACTION_PROPOSED">["lineage"]>["origins"];

/** How many values of the arguments were looked up, and where they are from. */
function valuesOf(origins: Origins | undefined) {
  const count = (some: Origins) => some.reduce((total, { values }) => total + values, 0);
  return {
    compared_values: origins && count(origins),
    person_values: origins && count(origins.filter(({ said }) => said === true)),
    unknown_values: origins && count(origins.filter(({ platforms, said }) => platforms.length === 0 && said !== true)),
  };
}

/** Where the action stands from `entry` on. */
function changeOf(entry: LedgerEntry, { action }: { readonly action: string }): ActionChange {
  const item = stateIn(entry, "ACTION", action);
  if (item === undefined) throw new TypeError(`entry ${entry.seq} moves no action`);
  const { approvals, status } = item.state;
  return { action_id: action, approvals, status, status_seq: String(entry.seq), status_utc: entry.recordedAt };
}

const completedBy = ({ seq, recordedAt }: LedgerEntry) => ({ completed_seq: String(seq), completed_utc: recordedAt });
const decidedAt = ({ recordedAt }: LedgerEntry) => ({ first_decided_utc: recordedAt, decided_utc: recordedAt });

function addDecision(
  collected: Collected,
  entry: LedgerEntry,
  fact: Fact<"ACTION_APPROVED" | "ACTION_DENIED" | "DECISION_REFUSED">,
  kind: DecisionRow["kind"],
): void {
  const { decision } = fact;
  const { delegatedBy } = decision;
  const row = decisionRow(collected, entry, fact, {
    kind,
    verdict: decision.verdict,
    channel: decision.channel,
    assurance: decision.assurance ?? "SESSION",
    delegated_by_key: delegatedBy && collected.principal(entry, { id: delegatedBy.id, kind: "HUMAN" }),
    shown_utc: decision.firstShownAt,
    ...(fact.type === "DECISION_REFUSED" ? { refusal: fact.reason, times: fact.refused?.times ?? 1 } : {}),
  });
  collected.decisions.push(row);
  if (fact.type === "DECISION_REFUSED") return;
  const change = changeOf(entry, fact);
  const settled = change.status === "PENDING" ? { first_decided_utc: entry.recordedAt } : decidedAt(entry);
  collected.change({ ...change, ...settled });
}

function decisionRow(
  collected: Collected,
  entry: LedgerEntry,
  { action, actor }: { readonly action: string; readonly actor: Principal },
  said: Partial<DecisionRow> & Pick<DecisionRow, "kind">,
): DecisionRow {
  return {
    decision_key: entry.hash,
    seq: String(entry.seq),
    decided_utc: entry.recordedAt,
    action_id: action,
    decided_by_key: collected.principal(entry, actor),
    delegated_by_key: undefined,
    verdict: undefined,
    channel: undefined,
    assurance: undefined,
    refusal: undefined,
    times: 1,
    shown_utc: undefined,
    ...said,
  };
}

function addPrincipal(collected: Collected, entry: LedgerEntry, subject: Principal): void {
  const state = stateIn(entry, "PRINCIPAL", subject.id)?.state;
  const owner = state?.owner;
  collected.principal(entry, subject, {
    owner_key: owner === undefined ? null : collected.principal(entry, { id: owner, kind: "HUMAN" }),
    is_suspended: state?.suspended === true ? 1 : 0,
  });
}
