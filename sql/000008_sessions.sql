-- Sessions: those of a principal and of its agents, its open ones also by conversation, and all of a ledger as they began.

SET LOCAL ROLE oc_owner;

CREATE INDEX oc_state_session ON oc_state (ledger, first_seq) WHERE kind = 'SESSION';
CREATE INDEX oc_state_session_actor ON oc_state (actor_id, ledger, first_seq) WHERE kind = 'SESSION';
CREATE INDEX oc_state_session_person ON oc_state (on_behalf_of_id, ledger, first_seq)
  WHERE kind = 'SESSION' AND on_behalf_of_id IS NOT NULL;
-- Arrays with nulls at the same places are equal, and PostgreSQL uses no other index for this expression.
CREATE INDEX oc_state_session_open ON oc_state ((ARRAY[actor_id, on_behalf_of_id]), ledger, first_seq)
  WHERE kind = 'SESSION' AND status = 'OPEN';
CREATE INDEX oc_state_session_conversation ON oc_state ((ARRAY[actor_id, on_behalf_of_id, conversation]), ledger, first_seq)
  WHERE kind = 'SESSION' AND status = 'OPEN';

CREATE INDEX oc_audit_log_session_end ON oc_audit_log (session_id, ledger) WHERE type = 'SESSION_ENDED';

-- Whether the ledger has the end of a session that began at p_first. Not STABLE, as oc_entries_at.
CREATE FUNCTION oc_session_has_ended(p_ledger text, p_session uuid, p_first bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  since timestamptz := oc_month_start(p_ledger, p_first);
BEGIN
  RETURN EXISTS (SELECT FROM oc_audit_log e
                  WHERE e.session_id = p_session AND e.ledger = p_ledger AND e.type = 'SESSION_ENDED' AND e.recorded_at >= since);
END
$$;
REVOKE ALL ON FUNCTION oc_session_has_ended(text, uuid, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_session_has_ended(text, uuid, bigint) TO oc_app;
