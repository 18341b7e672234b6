-- What the columns of oc_bi mean, for oc_bi.dictionary and for tools that show comments.

SET LOCAL ROLE oc_owner;

DO $$
DECLARE
  described record;
  -- Columns that several tables and views have with one meaning.
  everywhere constant jsonb := '{
    "organization": "The organization whose row it is.",
    "ledger_region": "Region of the ledger that has the entries of this row.",
    "action_id": "UUID of the action. Joins fact_action.action_id",
    "agent_key": "The agent that proposed it. Joins dim_principal.principal_key",
    "agent_id": "Id of the agent that proposed it.",
    "on_behalf_of_key": "The person the agent acted for; null: nobody. Joins dim_principal.principal_key",
    "on_behalf_of_id": "Id of the person the agent acted for; null: nobody.",
    "platform_key": "The platform of the action. Joins dim_platform.platform_key",
    "tool_key": "The tool that was to be called. Joins dim_tool.tool_key",
    "platform": "Name of the platform. Names longer than 255 characters are cut.",
    "tool": "Name of the tool. Names longer than 255 characters are cut.",
    "effect": "READ, or WRITE for a tool that changes data.",
    "platform_region": "Region in which the platform keeps its data, as of the entry.",
    "target_region": "Region that the data would go to, where the proposal names one.",
    "first_seen_utc": "Time of the first entry that names it.",
    "last_seen_utc": "Time of the latest entry that names it.",
    "proposed_utc": "Time at which the action was proposed.",
    "proposed_seq": "Position of its proposal in the ledger.",
    "client": "Program that called, such as claude-code.",
    "model": "Model that asked for the call, where it is known.",
    "chain_id": "Routing chain (chainHash) that the action belongs to.",
    "source_chain_id": "Routing chain (sourceChainHash) that the data of a write may be from.",
    "policy_outcome": "What the policy said of the proposal: PERMIT, REQUIRE or FORBID.",
    "policy_rule": "Id of the strictest rule that matched; null: no rule did.",
    "approvals_needed": "Approvals that the policy asked for, over all requirements.",
    "approvals": "Approvals so far.",
    "status": "Where the action stands: ALLOWED, PENDING, APPROVED, DENIED, BLOCKED, EXPIRED, CANCELLED, EXECUTING, SUCCEEDED, FAILED or AMBIGUOUS.",
    "status_utc": "Time since which it has this status.",
    "decided_utc": "Time of the decision; of an action: when it became APPROVED or DENIED by people.",
    "decision_seconds": "Seconds from the proposal until it was approved or denied by people.",
    "started_utc": "Time at which its grant was redeemed.",
    "completed_utc": "Time at which its outcome was reported.",
    "latency_ms": "Milliseconds from redemption to the report of the outcome.",
    "is_break_glass": "1: approved by one person alone in an emergency.",
    "break_glass_review": "What another person said of that: JUSTIFIED, UNJUSTIFIED, or null: nothing yet.",
    "observed_sources": "Reads whose values are among the arguments of a write. Each is a row of fact_lineage_edge.",
    "possible_sources": "Chains of earlier reads that a write may have drawn from, by time. Each is a row of fact_lineage_edge.",
    "unread_regions": "Regions that could not be asked for reads; each may be a source of everything in a write.",
    "compared_values": "Values of the arguments of a write that were looked up among what was read; null: none was looked up.",
    "person_values": "How many of these values the person asked for themselves, as the agent reports it.",
    "unknown_values": "How many of these values have no known source: nobody is known to have said them, and no read had them.",
    "kind": "OBSERVED: values of the source are in the write. POSSIBLE: the source was read before the write, and nothing more is known.",
    "delegated_by_id": "Id of the person whose right to approve was used; null: their own.",
    "channel": "How the decision came in: API, CONSOLE, SLACK, TEAMS or WEBHOOK.",
    "assurance": "How sure it is that this person decided: CHAT, SESSION, MFA or KEY.",
    "refusal": "Code of the reason why an attempt to decide was refused; null: it was not.",
    "times": "How many attempts of one minute the row stands for; 1 for a decision.",
    "seconds_since_proposed": "Seconds from the proposal to the decision.",
    "seconds_since_shown": "Seconds from when the action was first shown to this person to the decision; null: not known.",
    "edge_key": "Names the edge: its number, and the hash of the entry that has it, hashed.",
    "write_seq": "Position of the entry of the write.",
    "write_utc": "Time of the write.",
    "source_platform": "Name of the platform that was read; null: the entry does not tell.",
    "source_region": "Region in which that platform keeps its data.",
    "source_ledger": "Ledger that has the entry of the read.",
    "source_seq": "Position of the entry of the read there.",
    "source_action_id": "The action that read, where it is in the same ledger. Joins fact_action.action_id",
    "shared_values": "OBSERVED: values that read and write share, each counted once.",
    "whole_values": "OBSERVED: how many of these are whole values of the arguments.",
    "exact_values": "OBSERVED: how many are the same character by character; null: not looked up.",
    "strength": "OBSERVED: how much that tells, in tenths; 50 is the least.",
    "reads": "POSSIBLE: reads of the source chain that count.",
    "is_unknown": "1: values of one of the reads are not known, so every argument may be from there.",
    "crosses_platform": "1: source and write are on different platforms, or the platform of the source is not known.",
    "crosses_region": "1: the platforms of source and write keep their data in different regions, or that of the source is not known; of a path: anywhere on it.",
    "seq": "Position of the entry in the ledger."
  }';
BEGIN
  FOR described IN SELECT * FROM (VALUES
    ('dim_principal', NULL, 'People, agents and services that act, decide or are registered. Ids, no names.'),
    ('dim_principal', 'principal_key', 'Names the principal: a hash of ledger and id.'),
    ('dim_principal', 'principal_id', 'Its id within the organization. Ids longer than 255 characters are cut.'),
    ('dim_principal', 'kind', 'HUMAN, AGENT or SERVICE.'),
    ('dim_principal', 'owner_key', 'The person who is responsible for a registered agent. Joins dim_principal.principal_key'),
    ('dim_principal', 'is_suspended', '1: it may do nothing at present.'),
    ('dim_platform', NULL, 'Platforms that actions or their sources are on.'),
    ('dim_platform', 'platform_key', 'Names the platform: a hash of ledger and name.'),
    ('dim_tool', NULL, 'Tools that agents asked for.'),
    ('dim_tool', 'tool_key', 'Names the tool: a hash of ledger, platform and name.'),
    ('fact_action', NULL, 'One row an action that an agent proposed, as it stands.'),
    ('fact_action', 'action_id', 'UUID of the action.'),
    ('fact_action', 'proposed_hash', 'SHA-256 of the entry of its proposal, by which the ledger proves it.'),
    ('fact_action', 'policy_version', 'Version of the policy that the proposal was evaluated by.'),
    ('fact_action', 'status_seq', 'Position of the entry that gave it this status, or changed it last.'),
    ('fact_action', 'first_decided_utc', 'Time of the first decision of a person, also one that did not settle it.'),
    ('fact_action', 'first_decision_seconds', 'Seconds from the proposal to the first decision of a person.'),
    ('fact_action', 'completed_seq', 'Position of the entry that reports its outcome.'),
    ('fact_action', 'omitted_sources', 'Possible sources that the entry leaves out because there were too many.'),
    ('fact_decision', NULL, 'One row a decision of a person about an action, or an attempt that was refused.'),
    ('fact_decision', 'decision_key', 'SHA-256 of the entry of the decision, by which the ledger proves it.'),
    ('fact_decision', 'decided_by_key', 'Who decided, or tried to. Joins dim_principal.principal_key'),
    ('fact_decision', 'delegated_by_key', 'The person whose right to approve was used; null: their own. Joins dim_principal.principal_key'),
    ('fact_decision', 'kind', 'APPROVAL, DENIAL, REVOCATION (of an approval), BREAK_GLASS, REVIEW (of one) or REFUSED.'),
    ('fact_decision', 'verdict', 'APPROVE or DENY, also of what was refused; of a review JUSTIFIED or UNJUSTIFIED.'),
    ('fact_decision', 'shown_utc', 'When the action was first shown to this person, where that is known.'),
    ('fact_lineage_edge', NULL, 'One row a source of a write, as its entry has it: where its data is from, or may be from.'),
    ('fact_lineage_edge', 'number', 'Its number among the edges of the write, from 1, as in the API.'),
    ('fact_lineage_edge', 'source_platform_key', 'The platform that was read. Joins dim_platform.platform_key'),
    ('fact_lineage_edge', 'source_hash', 'SHA-256 of the entry of the read, which the entry of the write names.'),
    ('actions', NULL, 'fact_action with the names of its dimensions.'),
    ('decisions', NULL, 'fact_decision with the names of its dimensions and what it is about.'),
    ('decisions', 'decision_key', 'Names the decision. Joins fact_decision.decision_key'),
    ('decisions', 'kind', 'APPROVAL, DENIAL, REVOCATION (of an approval), BREAK_GLASS, REVIEW (of one) or REFUSED.'),
    ('decisions', 'verdict', 'APPROVE or DENY, also of what was refused; of a review JUSTIFIED or UNJUSTIFIED.'),
    ('decisions', 'decided_by_id', 'Id of who decided, or tried to.'),
    ('lineage_edges', NULL, 'fact_lineage_edge with the names of its dimensions.'),
    ('lineage_edges', 'edge_key', 'Names the edge. Joins fact_lineage_edge.edge_key'),
    ('lineage_edges', 'source_tool', 'Tool that read, where the read is in the same ledger.'),
    ('lineage_paths', NULL, 'Ways of data from a source over up to five writes, within one ledger. At most 100,000 of them, the shortest first.'),
    ('lineage_paths', 'hops', 'Writes on the way; 1: an edge.'),
    ('lineage_paths', 'kind', 'OBSERVED: all its edges are. POSSIBLE: at least one is only possible.'),
    ('lineage_paths', 'from_utc', 'Time of its first write.'),
    ('lineage_paths', 'to_utc', 'Time of its last write.'),
    ('lineage_paths', 'action_id', 'The last write. Joins fact_action.action_id'),
    ('lineage_paths', 'source_action_id', 'The first read, where it is in the same ledger. Joins fact_action.action_id'),
    ('lineage_paths', 'first_edge_key', 'Its first edge. Joins fact_lineage_edge.edge_key'),
    ('lineage_paths', 'last_edge_key', 'Its last edge. Joins fact_lineage_edge.edge_key'),
    ('freshness', NULL, 'Up to where the tables are, a row for each ledger.'),
    ('freshness', 'seq', 'Position of the latest entry that is in the tables; 0: none yet.'),
    ('freshness', 'last_seq', 'Position of the last entry of the ledger.'),
    ('freshness', 'entries_behind', 'Entries that are not in the tables yet.'),
    ('freshness', 'entries_until_utc', 'Time of the latest entry that is in the tables.'),
    ('freshness', 'last_entry_utc', 'Time of the last entry of the ledger.'),
    ('freshness', 'problem', 'Why the tables do not go on: an entry of the ledger cannot be read as it was recorded. Null: they do.'),
    ('version', NULL, 'The version of this schema.'),
    ('version', 'version', 'Its number.'),
    ('version', 'rule', 'What may change within a version.'),
    ('dictionary', NULL, 'Every column of this schema.'),
    ('dictionary', 'object', 'Name of the table or view.'),
    ('dictionary', 'object_kind', 'TABLE or VIEW. Tables have keys.'),
    ('dictionary', 'position', 'Number of the column, from 1.'),
    ('dictionary', 'column_name', 'Name of the column.'),
    ('dictionary', 'data_type', 'Its type in PostgreSQL.'),
    ('dictionary', 'key', 'PRIMARY KEY, FOREIGN KEY or null.'),
    ('dictionary', 'joins', 'Table and column with the same values.'),
    ('dictionary', 'description', 'What the column means.'),
    ('dictionary', 'object_description', 'What a row of the table or view is.')
  ) AS d(object, part, said)
  LOOP
    IF described.part IS NULL THEN
      EXECUTE format('COMMENT ON %s oc_bi.%I IS %L',
        CASE WHEN described.object ~ '^(dim|fact)_' THEN 'TABLE' ELSE 'VIEW' END, described.object, described.said);
    ELSE
      EXECUTE format('COMMENT ON COLUMN oc_bi.%I.%I IS %L', described.object, described.part, described.said);
    END IF;
  END LOOP;
  FOR described IN
    SELECT c.relname AS object, a.attname AS part, everywhere ->> a.attname AS said
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
     WHERE c.relnamespace = 'oc_bi'::regnamespace AND c.relkind IN ('r', 'v') AND col_description(c.oid, a.attnum) IS NULL
       AND everywhere ? a.attname
  LOOP
    EXECUTE format('COMMENT ON COLUMN oc_bi.%I.%I IS %L', described.object, described.part, described.said);
  END LOOP;
END
$$;

RESET ROLE;
SELECT oc_guard.record();
