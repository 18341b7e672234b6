-- Routing chains: the latest of one principal in one conversation, and those before it.

SET LOCAL ROLE oc_owner;

-- An array equals another that has nulls in the same places: an agent is another principal for each person it acts for.
CREATE INDEX oc_state_chain ON oc_state ((ARRAY[actor_id, on_behalf_of_id, conversation]), ledger, first_seq)
  WHERE kind = 'CHAIN';

-- When a principal was last seen in a chain, or last had this effect in it. No entry of a chain stands before the one at p_first,
-- which began it: partitions before its month are not opened.
CREATE FUNCTION oc_last_step(p_ledger text, p_chain uuid, p_first bigint, p_actor text, p_person text, p_effect text DEFAULT NULL)
RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  since timestamptz := oc_month_start(p_ledger, p_first);
BEGIN
  -- Expressions, so that no plan walks the index of actors to find entries of one chain.
  RETURN (SELECT e.recorded_at FROM oc_audit_log e
           WHERE e.chain = p_chain AND e.ledger = p_ledger AND e.recorded_at >= since
             AND coalesce(e.actor_id, '') = p_actor AND coalesce(e.on_behalf_of_id, '') = p_person
             AND (p_effect IS NULL OR e.effect = p_effect)
           ORDER BY e.seq DESC LIMIT 1);
END
$$;
REVOKE ALL ON FUNCTION oc_last_step(text, uuid, bigint, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_last_step(text, uuid, bigint, text, text, text) TO oc_app;

-- Edges: from where a chain drew, and where what was read in a chain went.
CREATE INDEX oc_lineage_edge_chain ON oc_lineage_edge (chain, ledger, seq);
CREATE INDEX oc_lineage_edge_source ON oc_lineage_edge (source_chain, ledger, source_seq) WHERE source_chain IS NOT NULL;
-- To list them by: what is asked for is before the position, so that a page is read in its order.
CREATE INDEX oc_lineage_edge_kind ON oc_lineage_edge (kind, ledger, seq, n);
CREATE INDEX oc_lineage_edge_platform ON oc_lineage_edge (platform, ledger, seq, n);
CREATE INDEX oc_lineage_edge_source_platform ON oc_lineage_edge (source_platform, ledger, seq, n);
CREATE INDEX oc_lineage_edge_region ON oc_lineage_edge (region, ledger, seq, n);
CREATE INDEX oc_lineage_edge_source_region ON oc_lineage_edge (source_region, ledger, seq, n);
