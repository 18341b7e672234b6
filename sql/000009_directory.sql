-- The directory: the entries that have changed it since a position. A server replays them; it takes nothing from oc_state.

SET LOCAL ROLE oc_owner;

-- By the types of entries that move a PRINCIPAL, a TOKEN, a SETUP, the ORGANIZATION, the POLICY, a DELEGATION, a CHANNEL or an ACCOUNT; and
-- of those with copies of such entries.
CREATE INDEX oc_audit_log_directory ON oc_audit_log (ledger, seq)
  WHERE type IN ('PRINCIPAL_INVITED', 'PRINCIPAL_UPDATED', 'PRINCIPAL_SUSPENDED', 'PRINCIPAL_REINSTATED', 'PRINCIPAL_ROLES_CHANGED',
                 'TOKEN_REVOKED', 'SETTINGS_CHANGED', 'SETUP_CODE_ISSUED', 'SETUP_CODE_REFUSED', 'SETUP_CODE_USED', 'POLICY_STARTED',
                 'POLICY_PUBLISHED', 'DELEGATION_MADE', 'DELEGATION_ENDED',
                        'CHANNEL_CONFIGURED', 'CHANNEL_REMOVED', 'ACCOUNT_LINKED', 'ACCOUNT_UNLINKED', 'HOME_COPIED');

-- Which organizations have copies.
CREATE INDEX oc_state_home_copy ON oc_state (ledger) WHERE kind = 'HOME_COPY';

-- The first p_limit of them after p_after, oldest first. Not STABLE, as oc_entries_at.
CREATE FUNCTION oc_directory_after(p_ledger text, p_after bigint, p_limit bigint)
RETURNS TABLE (seq bigint, entry text, hash bytea)
LANGUAGE plpgsql ROWS 1 SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  month record;
  found_rows bigint;
  wanted bigint := p_limit;
BEGIN
  FOR month IN SELECT m.starts, m.ends FROM oc_months_between(p_ledger, p_after, 1::bigint << 62) m LOOP
    RETURN QUERY
      SELECT e.seq, e.entry, e.hash FROM oc_audit_log e
       WHERE e.ledger = p_ledger AND e.seq > p_after AND e.recorded_at >= month.starts AND e.recorded_at < month.ends
         AND e.type IN ('PRINCIPAL_INVITED', 'PRINCIPAL_UPDATED', 'PRINCIPAL_SUSPENDED', 'PRINCIPAL_REINSTATED', 'PRINCIPAL_ROLES_CHANGED',
                        'TOKEN_REVOKED', 'SETTINGS_CHANGED', 'SETUP_CODE_ISSUED', 'SETUP_CODE_REFUSED', 'SETUP_CODE_USED', 'POLICY_STARTED',
                        'POLICY_PUBLISHED', 'DELEGATION_MADE', 'DELEGATION_ENDED',
                        'CHANNEL_CONFIGURED', 'CHANNEL_REMOVED', 'ACCOUNT_LINKED', 'ACCOUNT_UNLINKED', 'HOME_COPIED')
       ORDER BY e.seq LIMIT wanted;
    GET DIAGNOSTICS found_rows = ROW_COUNT;
    wanted := wanted - found_rows;
    EXIT WHEN wanted <= 0;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION oc_directory_after(text, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_directory_after(text, bigint, bigint) TO oc_app;

-- The last entry by an actor (p_column: actor_id) or on behalf of a person (on_behalf_of_id), or null. The latest months are looked
-- into first, then ever more: most are seen often, and partitions without them cost as much as those with them.
CREATE FUNCTION oc_last_seen(p_ledger text, p_column text, p_id text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  found_seq bigint;
  until timestamptz := 'infinity';
  since timestamptz;
  months integer := 2;
BEGIN
  WHILE found_seq IS NULL AND until IS NOT NULL LOOP
    since := oc_months_before(p_ledger, until, months);
    -- As ranges, in the order of their index: nothing else has that order.
    IF p_column = 'actor_id' THEN
      found_seq := (SELECT e.seq FROM oc_audit_log e
                     WHERE e.ledger = p_ledger AND e.actor_id >= p_id AND e.actor_id <= p_id
                       AND e.recorded_at >= since AND e.recorded_at < until ORDER BY e.actor_id DESC, e.seq DESC LIMIT 1);
    ELSE
      found_seq := (SELECT e.seq FROM oc_audit_log e
                     WHERE e.ledger = p_ledger AND e.on_behalf_of_id >= p_id AND e.on_behalf_of_id <= p_id
                       AND e.recorded_at >= since AND e.recorded_at < until ORDER BY e.on_behalf_of_id DESC, e.seq DESC LIMIT 1);
    END IF;
    until := since;
    months := months * 4;
  END LOOP;
  RETURN found_seq;
END
$$;
REVOKE ALL ON FUNCTION oc_last_seen(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_last_seen(text, text, text) TO oc_app;
