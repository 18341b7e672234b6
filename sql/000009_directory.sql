-- The directory: what has changed since a position, which is how a server keeps up.

SET LOCAL ROLE oc_owner;

CREATE INDEX oc_state_directory ON oc_state (ledger, updated_seq) WHERE kind IN ('PRINCIPAL', 'TOKEN', 'SETUP');

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
    since := (SELECT min(m.starts) FROM (SELECT x.starts FROM oc_ledger_month x WHERE x.ledger = p_ledger AND x.starts < until
                                          ORDER BY x.first_seq DESC LIMIT months) m);
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
