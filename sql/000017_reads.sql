-- What a principal read lately, for what it writes afterwards, on whatever platform and in whatever region.

SET LOCAL ROLE oc_owner;

-- Of proposals that were not forbidden. Only the states of an entry have a member `status` with this value.
CREATE INDEX oc_audit_log_reads ON oc_audit_log (actor_id, coalesce(on_behalf_of_id, ''), ledger, platform, seq)
  WHERE type = 'ACTION_PROPOSED' AND effect = 'READ' AND strpos(entry, '"status":"BLOCKED"') = 0;

-- The latest read of each platform since then, of a principal acting for this person ('' for nobody). Goes from platform to platform in the
-- index, however many reads there are.
CREATE FUNCTION oc_latest_reads(p_ledger text, p_actor text, p_person text, p_since timestamptz)
RETURNS SETOF bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  -- Of the months that are looked at, all: what is older than p_since is left out at the end.
  month timestamptz := date_trunc('month', p_since, 'UTC');
  name text := '';
  latest record;
BEGIN
  LOOP
    SELECT e.platform INTO name FROM oc_audit_log e
     WHERE e.type = 'ACTION_PROPOSED' AND e.effect = 'READ' AND strpos(e.entry, '"status":"BLOCKED"') = 0
       AND e.actor_id = p_actor AND coalesce(e.on_behalf_of_id, '') = p_person AND e.ledger = p_ledger
       AND e.platform > name AND e.recorded_at >= month
     ORDER BY e.platform LIMIT 1;
    EXIT WHEN NOT FOUND;
    SELECT e.seq, e.recorded_at INTO latest FROM oc_audit_log e
     WHERE e.type = 'ACTION_PROPOSED' AND e.effect = 'READ' AND strpos(e.entry, '"status":"BLOCKED"') = 0
       AND e.actor_id = p_actor AND coalesce(e.on_behalf_of_id, '') = p_person AND e.ledger = p_ledger
       AND e.platform = name AND e.recorded_at >= month
     ORDER BY e.seq DESC LIMIT 1;
    IF latest.recorded_at >= p_since THEN RETURN NEXT latest.seq; END IF;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION oc_latest_reads(text, text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_latest_reads(text, text, text, timestamptz) TO oc_app;

RESET ROLE;
SELECT oc_guard.record();
