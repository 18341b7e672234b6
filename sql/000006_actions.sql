-- Governed actions: where each of them stands.

SET LOCAL ROLE oc_owner;

-- Returns the groups that the policy asks to approve the action which `entry` proposes; empty for entries of other types. Where a requirement
-- has `role`, its `group` is the name of a role and is left out. For an index: it must not fail, whatever somebody with the
-- owner's rights wrote there.
CREATE FUNCTION oc_asked_groups(entry text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN ARRAY(SELECT jsonb_path_query(entry::jsonb, '$.body.policy.requirements[*] ? (!exists(@.role)).group') #>> '{}'
               UNION
               SELECT jsonb_path_query(entry::jsonb, '$.body.policy.requirements[*].escalation.group') #>> '{}');
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN '{}';
END $$;
REVOKE ALL ON FUNCTION oc_asked_groups(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_asked_groups(text) TO oc_app, oc_auditor;
-- Members of a group may read what policy asks that group about: the subject filters of the ledger look it up here. The group
-- `approvers` reads the whole ledger anyway (src/domain/visibility), so a proposal that asks nobody else is left out, by a look
-- at its text: parsing each entry would be a fifth of an append. (split_part before replace, because copying whole entries makes
-- the memory of a row outgrow what PostgreSQL keeps from row to row: a tenth of an append.)
CREATE INDEX oc_audit_log_asked ON oc_audit_log USING gin (oc_asked_groups(entry))
  WHERE type = 'ACTION_PROPOSED' AND strpos(replace(split_part(entry, '"requirements":[{', 2), '"group":"approvers"', ''), '"group":"') > 0;

-- Actions by what they wait for, in the order they were proposed.
CREATE INDEX oc_state_action_status ON oc_state (status, ledger, first_seq) WHERE kind = 'ACTION';

-- The pending and denied actions of a caller, so that a proposal finds what it repeats.
CREATE INDEX oc_state_action_caller ON oc_state ((ARRAY[actor_id, on_behalf_of_id]), ledger, first_seq)
  WHERE kind = 'ACTION' AND status IN ('PENDING', 'DENIED');

-- The latest p_limit of them, the latest first. Not STABLE, as oc_entries_at. Ordered by all columns of the index: that the first two are
-- the same is not known to a plan, which would read and sort them all.
CREATE FUNCTION oc_earlier_actions(p_ledger text, p_actor text, p_person text, p_limit bigint)
RETURNS TABLE (id text, status text, conversation text, first_seq bigint)
LANGUAGE plpgsql ROWS 50 SET search_path = pg_catalog, public, pg_temp
SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT a.id, a.status, a.conversation, a.first_seq FROM oc_state a
     WHERE a.ledger = p_ledger AND a.kind = 'ACTION' AND a.status IN ('PENDING', 'DENIED')
       AND ARRAY[a.actor_id, a.on_behalf_of_id] = ARRAY[p_actor, p_person]
     ORDER BY ARRAY[a.actor_id, a.on_behalf_of_id] DESC, a.ledger DESC, a.first_seq DESC LIMIT p_limit;
END
$$;
REVOKE ALL ON FUNCTION oc_earlier_actions(text, text, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_earlier_actions(text, text, text, bigint) TO oc_app;

-- The versions of an action, by entries of any type: whoever loads an action looks for a later version than its row has, so that an
-- old row that was put back is noticed.
CREATE INDEX oc_audit_log_action ON oc_audit_log (action_id, ledger, state_version)
  WHERE action_id IS NOT NULL AND state_version IS NOT NULL;

-- Whether the ledger has a later version of an action than the one at p_seq. Not STABLE, as oc_entries_at.
CREATE FUNCTION oc_action_moved_on(p_ledger text, p_action uuid, p_version integer, p_seq bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  since timestamptz := oc_month_start(p_ledger, p_seq);
BEGIN
  RETURN EXISTS (
    SELECT FROM oc_audit_log e
     WHERE e.action_id = p_action AND e.ledger = p_ledger AND e.state_version > p_version AND e.recorded_at >= since);
END
$$;
REVOKE ALL ON FUNCTION oc_action_moved_on(text, uuid, integer, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_action_moved_on(text, uuid, integer, bigint) TO oc_app, oc_auditor;

-- Reads with the rights of the caller, so that row-level security on oc_state binds them. What a state holds that is not
-- what a column says reads as no approval and no grant: one entry must not make all actions unreadable.
CREATE VIEW oc_action WITH (security_invoker = true) AS
SELECT s.ledger, s.id, s.version, s.status, s.actor_id AS agent_id, s.on_behalf_of_id,
       CASE WHEN pg_input_is_valid(s.state ->> 'approvals', 'integer') THEN (s.state ->> 'approvals')::integer ELSE 0 END AS approvals,
       s.expires_at,
       CASE WHEN pg_input_is_valid(s.state #>> '{grant,id}', 'uuid') THEN (s.state #>> '{grant,id}')::uuid END AS grant_id,
       CASE WHEN s.state #>> '{grant,hash}' ~ '^([0-9a-f]{2})*$' THEN decode(s.state #>> '{grant,hash}', 'hex') END AS grant_hash,
       CASE WHEN pg_input_is_valid(s.state #>> '{grant,expiresAt}', 'timestamptz')
            THEN (s.state #>> '{grant,expiresAt}')::timestamptz END AS grant_expires_at,
       s.first_seq AS proposed_seq, s.updated_seq, s.entries
  FROM public.oc_state s
 WHERE s.kind = 'ACTION';
COMMENT ON VIEW oc_action IS 'Where each governed action stands, as its entries say.';

GRANT SELECT ON oc_action TO oc_app, oc_auditor;
