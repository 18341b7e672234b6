import { hash } from "node:crypto";
import type { LedgerEntry } from "../../facts/entry.ts";

/** Rows of the tables of schema `oc_bi` (sql/000020), by the names of their columns. Times are RFC 3339 text in UTC. */

export interface PrincipalRow {
  readonly principal_key: string;
  readonly principal_id: string;
  readonly kind: string;
  /** Undefined: as it was. Null: none. */
  readonly owner_key?: string | null | undefined;
  readonly is_suspended?: number | undefined;
  readonly first_seen_utc: string;
  readonly last_seen_utc: string;
}

export interface PlatformRow {
  readonly platform_key: string;
  readonly platform: string;
  readonly platform_region: string;
  readonly first_seen_utc: string;
  readonly last_seen_utc: string;
}

export interface ToolRow {
  readonly tool_key: string;
  readonly platform_key: string;
  readonly platform: string;
  readonly tool: string;
  readonly effect: string;
  readonly first_seen_utc: string;
  readonly last_seen_utc: string;
}

/** What an entry changes of an action; what is undefined stays as it was. */
export interface ActionChange {
  readonly action_id: string;
  readonly approvals?: number | undefined;
  readonly status?: string | undefined;
  readonly status_seq?: string | undefined;
  readonly status_utc?: string | undefined;
  /** Of the first decision of a person; kept where there is an earlier one. */
  readonly first_decided_utc?: string | undefined;
  readonly decided_utc?: string | undefined;
  readonly started_utc?: string | undefined;
  readonly completed_seq?: string | undefined;
  readonly completed_utc?: string | undefined;
  readonly latency_ms?: number | undefined;
  readonly is_break_glass?: number | undefined;
  readonly break_glass_review?: string | undefined;
}

export interface ActionRow extends ActionChange {
  readonly proposed_seq: string;
  readonly proposed_hash: string;
  readonly proposed_utc: string;
  readonly agent_key: string;
  readonly on_behalf_of_key: string | undefined;
  readonly platform_key: string;
  readonly tool_key: string;
  readonly effect: string;
  readonly platform_region: string;
  readonly target_region: string | undefined;
  readonly client: string | undefined;
  readonly model: string | undefined;
  readonly chain_id: string;
  readonly source_chain_id: string | undefined;
  readonly policy_version: number;
  readonly policy_outcome: string;
  readonly policy_rule: string | undefined;
  readonly approvals_needed: number;
  readonly observed_sources: number;
  readonly possible_sources: number;
  readonly omitted_sources: number;
  readonly unread_regions: number;
  readonly compared_values: number | undefined;
  readonly person_values: number | undefined;
  readonly unknown_values: number | undefined;
}

export interface DecisionRow {
  readonly decision_key: string;
  readonly seq: string;
  readonly decided_utc: string;
  readonly action_id: string;
  readonly decided_by_key: string;
  readonly delegated_by_key: string | undefined;
  readonly kind: "APPROVAL" | "DENIAL" | "REVOCATION" | "BREAK_GLASS" | "REVIEW" | "REFUSED";
  readonly verdict: string | undefined;
  readonly channel: string | undefined;
  readonly assurance: string | undefined;
  readonly refusal: string | undefined;
  readonly times: number;
  readonly shown_utc: string | undefined;
}

export interface EdgeRow {
  readonly edge_key: string;
  readonly kind: "OBSERVED" | "POSSIBLE";
  readonly number: number;
  readonly action_id: string;
  readonly write_seq: string;
  readonly write_utc: string;
  readonly chain_id: string;
  readonly platform_key: string;
  readonly platform_region: string;
  readonly source_chain_id: string | null;
  readonly source_platform_key: string | null;
  readonly source_region: string | null;
  readonly source_ledger: string;
  readonly source_seq: string | null;
  readonly source_hash: string | null;
  readonly shared_values: number | null;
  readonly whole_values: number | null;
  readonly person_values: number | null;
  readonly exact_values: number | null;
  readonly strength: number | null;
  readonly reads: number | null;
  readonly is_unknown: number;
}

/** The longest text that drivers show as a text rather than as a long one. */
const MAX_TEXT = 255;

/** `text`, cut to what a column holds. */
export function cut(text: string): string {
  // Counts code points, as the database does.
  return text.length <= MAX_TEXT ? text : [...text].slice(0, MAX_TEXT).join("");
}

/** 32 hex digits that name something of a ledger, the same in every database: `kind` and what identifies it there. */
export function keyOf({ ledger }: Pick<LedgerEntry, "ledger">, kind: string, ...names: readonly string[]): string {
  return hash("sha256", JSON.stringify([ledger, kind, ...names])).slice(0, 32);
}
