import type { LedgerId } from "../../facts/entry.ts";
import { LedgerDamagedError } from "../errors.ts";
import type { Queryable } from "../read.ts";
import type { Collected } from "./collect.ts";

/** Columns of each table that a row has, beside those of its ledger; others are derived by the database. */
const DATED = ["first_seen_utc", "last_seen_utc"];
const CHANGING = [
  "approvals",
  "status",
  "status_seq",
  "status_utc",
  "decided_utc",
  "started_utc",
  "completed_seq",
  "completed_utc",
  "latency_ms",
  "is_break_glass",
  "break_glass_review",
];
const ACTION = [
  "action_id",
  "proposed_seq",
  "proposed_hash",
  "proposed_utc",
  "agent_key",
  "on_behalf_of_key",
  "platform_key",
  "tool_key",
  "effect",
  "platform_region",
  "target_region",
  "client",
  "model",
  "chain_id",
  "source_chain_id",
  "policy_version",
  "policy_outcome",
  "policy_rule",
  "approvals_needed",
  "approvals",
  "status",
  "status_seq",
  "status_utc",
  "first_decided_utc",
  "decided_utc",
  "started_utc",
  "completed_seq",
  "completed_utc",
  "latency_ms",
  "observed_sources",
  "possible_sources",
  "omitted_sources",
  "unread_regions",
  "compared_values",
  "person_values",
  "unknown_values",
];
const DECISION = [
  "decision_key",
  "seq",
  "decided_utc",
  "action_id",
  "decided_by_key",
  "delegated_by_key",
  "kind",
  "verdict",
  "channel",
  "assurance",
  "refusal",
  "times",
  "shown_utc",
];
const EDGE = [
  "edge_key",
  "kind",
  "number",
  "action_id",
  "write_seq",
  "write_utc",
  "chain_id",
  "platform_key",
  "platform_region",
  "source_chain_id",
  "source_ledger",
  "source_seq",
  "source_hash",
  "shared_values",
  "whole_values",
  "person_values",
  "exact_values",
  "strength",
  "reads",
  "is_unknown",
];

const PLACE = "organization, ledger_region";
/** $1: organization, $2: region, $3: rows as JSON. */
const rowsOf = (table: string) => `jsonb_populate_recordset(NULL::oc_bi.${table}, $3::jsonb) r`;
const listed = (columns: readonly string[], of = "") => columns.map((column) => `${of}${column}`).join(", ");

/** Adds rows of a dimension, or brings those that there are up to date. `is_suspended` and `owner_key` stay where a row has none. */
function upsert(table: string, key: string, fixed: readonly string[], updated: readonly string[]): string {
  const columns = [key, ...fixed, ...updated, ...DATED];
  return `
    INSERT INTO oc_bi.${table} AS t (${PLACE}, ${listed(columns)})
    SELECT $1, $2, ${listed(columns, "r.")} FROM ${rowsOf(table)} ORDER BY r.${key}
        ON CONFLICT (${key}) DO UPDATE
       SET ${[...updated, "last_seen_utc"].map((column) => `${column} = excluded.${column}`).join(", ")}`;
}

const STATEMENTS = {
  principals: upsert("dim_principal", "principal_key", ["principal_id"], ["kind"]),
  registered: `
    UPDATE oc_bi.dim_principal t SET owner_key = r.owner_key, is_suspended = r.is_suspended
      FROM ${rowsOf("dim_principal")} WHERE t.principal_key = r.principal_key AND t.organization = $1 AND t.ledger_region = $2`,
  platforms: upsert("dim_platform", "platform_key", ["platform"], ["platform_region"]),
  tools: upsert("dim_tool", "tool_key", ["platform_key", "platform", "tool"], ["effect"]),
  actions: `
    INSERT INTO oc_bi.fact_action (${PLACE}, ${listed(ACTION)}, is_break_glass, break_glass_review)
    SELECT $1, $2, ${listed(ACTION, "r.")}, coalesce(r.is_break_glass, 0), r.break_glass_review FROM ${rowsOf("fact_action")}`,
  changes: `
    UPDATE oc_bi.fact_action t
       SET ${CHANGING.map((column) => `${column} = coalesce(r.${column}, t.${column})`).join(", ")},
           first_decided_utc = coalesce(t.first_decided_utc, r.first_decided_utc)
      FROM ${rowsOf("fact_action")} WHERE t.action_id = r.action_id AND t.organization = $1 AND t.ledger_region = $2`,
  decisions: `
    INSERT INTO oc_bi.fact_decision (${PLACE}, ${listed(DECISION)}, seconds_since_proposed)
    SELECT $1, $2, ${listed(DECISION, "r.")}, extract(epoch FROM r.decided_utc - a.proposed_utc)
      FROM ${rowsOf("fact_decision")}
      JOIN oc_bi.fact_action a ON a.action_id = r.action_id AND a.organization = $1 AND a.ledger_region = $2`,
  // The read, where it is in the same ledger: by the position of its proposal, or of its completion. An entry may name a chain alone, which is on
  // the platform of its steps.
  edges: `
    INSERT INTO oc_bi.fact_lineage_edge
      (${PLACE}, ${listed(EDGE)}, source_action_id, source_platform_key, source_region, crosses_platform, crosses_region)
    SELECT $1, $2, ${listed(EDGE, "r.")}, o.action_id, s.platform_key, s.region,
           CASE s.platform_key WHEN r.platform_key THEN 0 ELSE 1 END, CASE s.region WHEN r.platform_region THEN 0 ELSE 1 END
      FROM ${rowsOf("fact_lineage_edge")}
      LEFT JOIN LATERAL (
        SELECT a.action_id FROM oc_bi.fact_action a
         WHERE a.organization = $1 AND a.ledger_region = $2 AND r.source_ledger = concat($1::text, '/', $2::text)
           AND (a.proposed_seq = r.source_seq OR a.completed_seq = r.source_seq)
         ORDER BY a.proposed_seq DESC LIMIT 1) o ON true
      LEFT JOIN LATERAL (
        SELECT a.platform_key, a.platform_region FROM oc_bi.fact_action a
         WHERE r.source_platform_key IS NULL AND a.chain_id = r.source_chain_id AND a.organization = $1 AND a.ledger_region = $2
         ORDER BY a.proposed_seq LIMIT 1) c ON true
     CROSS JOIN LATERAL (SELECT coalesce(r.source_platform_key, c.platform_key) AS platform_key,
                                coalesce(r.source_region, c.platform_region) AS region) s`,
} as const;

/**
 * Writes what was collected of `ledger`, within the transaction of `db`.
 *
 * @throws LedgerDamagedError when an entry is about an action that no earlier entry has proposed.
 */
export async function writeRows(db: Queryable, ledger: LedgerId, collected: Collected): Promise<void> {
  const [organization, region] = ledger.split("/");

  async function write(name: keyof typeof STATEMENTS, rows: readonly object[]): Promise<void> {
    if (rows.length === 0) return;
    const values = [organization, region, JSON.stringify(rows)];
    // Not prepared: a plan made while the tables are small would later read all of them.
    const { rowCount } = await db.query(STATEMENTS[name], values);
    if (rowCount !== rows.length) {
      throw new LedgerDamagedError(ledger, "an entry is about an action or a principal that no earlier entry names");
    }
  }

  const principals = [...collected.principals.values()];
  await write("principals", principals);
  await write(
    "registered",
    principals.filter(({ is_suspended }) => is_suspended !== undefined),
  );
  await write("platforms", [...collected.platforms.values()]);
  await write("tools", [...collected.tools.values()]);
  await write("actions", [...collected.actions.values()]);
  await write("changes", [...collected.changes.values()]);
  await write("decisions", collected.decisions);
  await write("edges", collected.edges);
}
