-- Windows of policies: how many proposals there were, or how much they came to together, in the time before one. Computed from
-- entries alone.

SET LOCAL ROLE oc_owner;

-- By time, of all of a ledger, of an agent, and of a person (or of whoever proposed for nobody). Other queries cannot use them: they
-- do not ask for measures. What a sum reads is in them.
CREATE INDEX oc_audit_log_counted ON oc_audit_log (ledger, recorded_at) INCLUDE (seq, platform, tool, measures)
  WHERE measures IS NOT NULL;
CREATE INDEX oc_audit_log_counted_agent ON oc_audit_log (actor_id, ledger, recorded_at) INCLUDE (seq, platform, tool, measures)
  WHERE measures IS NOT NULL;
CREATE INDEX oc_audit_log_counted_person ON oc_audit_log (coalesce(on_behalf_of_id, actor_id), ledger, recorded_at)
  WHERE measures IS NOT NULL;
-- What does not count any more. These types end an action: no other entry about it follows.
CREATE INDEX oc_audit_log_over ON oc_audit_log (ledger, recorded_at) INCLUDE (seq, action_id)
  WHERE type IN ('ACTION_DENIED', 'APPROVAL_REVOKED', 'ACTION_CANCELLED', 'ACTION_EXPIRED');

-- What the proposals of a ledger that were recorded after p_since, before position p_before, come to: their number, or the sum of
-- p_measure. p_scope: those of agent p_id, of person p_id, or of the whole organization; p_platform and p_tool, unless null: those
-- with the same one. Without those that were denied, cancelled or expired since, by the entries up to position p_known.
--
-- Not STABLE, as oc_entries_at. `+ 0` keeps the planner off the index of positions, which has all that the ledger ever recorded.
CREATE FUNCTION oc_window(p_ledger text, p_before bigint, p_since timestamptz, p_scope text, p_id text, p_platform text,
                          p_tool text, p_measure text, p_known bigint) RETURNS numeric
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  counted bigint;
  came_to numeric;
  were_over bigint;
  taken_off numeric;
BEGIN
  IF p_scope = 'agent' THEN
    SELECT count(*), coalesce(sum((e.measures ->> p_measure)::numeric), 0) INTO counted, came_to
      FROM oc_audit_log e
     WHERE e.actor_id = p_id AND e.ledger = p_ledger AND e.measures IS NOT NULL AND e.recorded_at > p_since
       AND e.seq + 0 < p_before AND (p_platform IS NULL OR e.platform = p_platform) AND (p_tool IS NULL OR e.tool = p_tool);
  ELSIF p_scope = 'person' THEN
    SELECT count(*), coalesce(sum((e.measures ->> p_measure)::numeric), 0) INTO counted, came_to
      FROM oc_audit_log e
     WHERE coalesce(e.on_behalf_of_id, e.actor_id) = p_id AND e.ledger = p_ledger AND e.measures IS NOT NULL
       AND e.recorded_at > p_since AND e.seq + 0 < p_before
       AND (p_platform IS NULL OR e.platform = p_platform) AND (p_tool IS NULL OR e.tool = p_tool);
  ELSIF p_scope = 'organization' THEN
    SELECT count(*), coalesce(sum((e.measures ->> p_measure)::numeric), 0) INTO counted, came_to
      FROM oc_audit_log e
     WHERE e.ledger = p_ledger AND e.measures IS NOT NULL AND e.recorded_at > p_since
       AND e.seq + 0 < p_before AND (p_platform IS NULL OR e.platform = p_platform) AND (p_tool IS NULL OR e.tool = p_tool);
  ELSE
    RAISE EXCEPTION 'there is no scope %', p_scope USING ERRCODE = 'OC003';
  END IF;
  IF counted = 0 THEN
    RETURN 0;
  END IF;

  -- Of what counted and what is over, the fewer are looked up among the others, by the index of an action's entries.
  SELECT count(*) INTO were_over
    FROM (SELECT FROM oc_audit_log d
           WHERE d.ledger = p_ledger AND d.recorded_at > p_since AND d.seq + 0 <= p_known
             AND d.type IN ('ACTION_DENIED', 'APPROVAL_REVOKED', 'ACTION_CANCELLED', 'ACTION_EXPIRED')
           LIMIT counted) d;
  IF were_over = 0 THEN
    taken_off := 0;
  ELSIF were_over < counted THEN
    SELECT coalesce(sum(CASE WHEN p_measure IS NULL THEN 1 ELSE (p.measures ->> p_measure)::numeric END), 0) INTO taken_off
      FROM (SELECT DISTINCT d.action_id FROM oc_audit_log d
             WHERE d.ledger = p_ledger AND d.recorded_at > p_since AND d.seq + 0 <= p_known
               AND d.type IN ('ACTION_DENIED', 'APPROVAL_REVOKED', 'ACTION_CANCELLED', 'ACTION_EXPIRED')) d
     CROSS JOIN LATERAL (SELECT e.measures FROM oc_audit_log e
                          WHERE e.action_id = d.action_id AND e.ledger = p_ledger AND e.state_version = 1
                            AND e.measures IS NOT NULL AND e.recorded_at > p_since AND e.seq + 0 < p_before
                            AND CASE p_scope WHEN 'agent' THEN e.actor_id = p_id
                                             WHEN 'person' THEN coalesce(e.on_behalf_of_id, e.actor_id) = p_id ELSE true END
                            AND (p_platform IS NULL OR e.platform = p_platform) AND (p_tool IS NULL OR e.tool = p_tool)
                          LIMIT 1) p;
  ELSE
    taken_off := oc_window_over(p_ledger, p_before, p_since, p_scope, p_id, p_platform, p_tool, p_measure,
                                p_known);
  END IF;
  RETURN CASE WHEN p_measure IS NULL THEN counted ELSE came_to END - taken_off;
END
$$;

-- What of a window was denied, cancelled or expired: each of its proposals is looked up.
CREATE FUNCTION oc_window_over(p_ledger text, p_before bigint, p_since timestamptz, p_scope text, p_id text, p_platform text,
                               p_tool text, p_measure text, p_known bigint) RETURNS numeric
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  taken_off numeric := 0;
  each record;
BEGIN
  FOR each IN
    SELECT e.action_id, CASE WHEN p_measure IS NULL THEN 1 ELSE (e.measures ->> p_measure)::numeric END AS value
      FROM oc_audit_log e
     WHERE p_scope = 'agent' AND e.actor_id = p_id AND e.ledger = p_ledger AND e.measures IS NOT NULL AND e.recorded_at > p_since
       AND e.seq + 0 < p_before AND (p_platform IS NULL OR e.platform = p_platform) AND (p_tool IS NULL OR e.tool = p_tool)
     UNION ALL
    SELECT e.action_id, CASE WHEN p_measure IS NULL THEN 1 ELSE (e.measures ->> p_measure)::numeric END
      FROM oc_audit_log e
     WHERE p_scope = 'person' AND coalesce(e.on_behalf_of_id, e.actor_id) = p_id AND e.ledger = p_ledger
       AND e.measures IS NOT NULL AND e.recorded_at > p_since
       AND e.seq + 0 < p_before AND (p_platform IS NULL OR e.platform = p_platform) AND (p_tool IS NULL OR e.tool = p_tool)
     UNION ALL
    SELECT e.action_id, CASE WHEN p_measure IS NULL THEN 1 ELSE (e.measures ->> p_measure)::numeric END
      FROM oc_audit_log e
     WHERE p_scope = 'organization' AND e.ledger = p_ledger AND e.measures IS NOT NULL AND e.recorded_at > p_since
       AND e.seq + 0 < p_before AND (p_platform IS NULL OR e.platform = p_platform) AND (p_tool IS NULL OR e.tool = p_tool)
  LOOP
    IF EXISTS (SELECT FROM oc_audit_log d
                WHERE d.action_id = each.action_id AND d.ledger = p_ledger AND d.state_version > 1 AND d.recorded_at > p_since AND d.seq + 0 <= p_known
                  AND d.type IN ('ACTION_DENIED', 'APPROVAL_REVOKED', 'ACTION_CANCELLED', 'ACTION_EXPIRED')) THEN
      taken_off := taken_off + coalesce(each.value, 0);
    END IF;
  END LOOP;
  RETURN taken_off;
END
$$;

-- The same of the proposals after position p_after, whatever became of them. The append compares it with what a draft was evaluated
-- by, under the lock of the head: it reads no more than was recorded in between.
CREATE FUNCTION oc_window_since(p_ledger text, p_after bigint, p_scope text, p_id text, p_platform text, p_tool text,
                                p_measure text) RETURNS numeric
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  since timestamptz := oc_month_start(p_ledger, p_after + 1);
BEGIN
  RETURN (
    SELECT coalesce(sum(CASE WHEN e.measures IS NULL THEN 0 WHEN p_measure IS NULL THEN 1
                             ELSE (e.measures ->> p_measure)::numeric END), 0)
      FROM oc_audit_log e
     WHERE e.ledger = p_ledger AND e.seq > p_after AND e.recorded_at >= since
       AND CASE p_scope WHEN 'agent' THEN e.actor_id = p_id
                        WHEN 'person' THEN coalesce(e.on_behalf_of_id, e.actor_id) = p_id
                        WHEN 'organization' THEN true END
       AND (p_platform IS NULL OR e.platform = p_platform) AND (p_tool IS NULL OR e.tool = p_tool));
END
$$;

-- The difference between a window read at position p_head and the same window read earlier, at p_from; p_since and p_began are the
-- times they begin at. Adds what was proposed in between, and subtracts what ended in between and what is now too old. Reads nothing else.
CREATE FUNCTION oc_window_moved(p_ledger text, p_from bigint, p_head bigint, p_began timestamptz, p_since timestamptz, p_scope text,
                                p_id text, p_platform text, p_tool text, p_measure text) RETURNS numeric
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  month timestamptz := oc_month_start(p_ledger, p_from + 1);
  added numeric;
  ended numeric;
  aged numeric;
BEGIN
  -- By position: nothing here that the other indexes are for.
  SELECT coalesce(sum(CASE WHEN e.measures IS NULL THEN 0 WHEN p_measure IS NULL THEN 1
                           ELSE (e.measures ->> p_measure)::numeric END), 0) INTO added
    FROM oc_audit_log e
   WHERE e.ledger = p_ledger AND e.seq > p_from AND e.seq <= p_head AND e.recorded_at >= month
     AND CASE p_scope WHEN 'agent' THEN e.actor_id = p_id
                      WHEN 'person' THEN coalesce(e.on_behalf_of_id, e.actor_id) = p_id ELSE true END
     AND (p_platform IS NULL OR e.platform = p_platform) AND (p_tool IS NULL OR e.tool = p_tool);
  SELECT coalesce(sum(CASE WHEN p_measure IS NULL THEN 1 ELSE (p.measures ->> p_measure)::numeric END), 0) INTO ended
    FROM (SELECT DISTINCT d.action_id FROM oc_audit_log d
           WHERE d.ledger = p_ledger AND d.seq > p_from AND d.seq <= p_head AND d.recorded_at >= month
             AND d.type || '' IN ('ACTION_DENIED', 'APPROVAL_REVOKED', 'ACTION_CANCELLED', 'ACTION_EXPIRED')) d
   CROSS JOIN LATERAL (SELECT e.measures FROM oc_audit_log e
                        WHERE e.action_id = d.action_id AND e.ledger = p_ledger AND e.state_version = 1
                          AND e.measures IS NOT NULL AND e.recorded_at > p_began
                          AND CASE p_scope WHEN 'agent' THEN e.actor_id = p_id
                                           WHEN 'person' THEN coalesce(e.on_behalf_of_id, e.actor_id) = p_id ELSE true END
                          AND (p_platform IS NULL OR e.platform = p_platform) AND (p_tool IS NULL OR e.tool = p_tool)
                        LIMIT 1) p;
  SELECT coalesce(sum(CASE WHEN p_measure IS NULL THEN 1 ELSE (e.measures ->> p_measure)::numeric END), 0) INTO aged
    FROM oc_audit_log e
   WHERE e.ledger = p_ledger AND e.measures IS NOT NULL AND e.recorded_at > p_began AND e.recorded_at <= p_since AND e.seq + 0 <= p_head
     AND CASE p_scope WHEN 'agent' THEN e.actor_id = p_id
                      WHEN 'person' THEN coalesce(e.on_behalf_of_id, e.actor_id) = p_id ELSE true END
     AND (p_platform IS NULL OR e.platform = p_platform) AND (p_tool IS NULL OR e.tool = p_tool)
     AND (SELECT 1 FROM oc_audit_log d
           WHERE d.action_id = e.action_id AND d.ledger = p_ledger AND d.state_version > 1 AND d.recorded_at > p_began
             AND d.seq + 0 <= p_head AND d.type IN ('ACTION_DENIED', 'APPROVAL_REVOKED', 'ACTION_CANCELLED', 'ACTION_EXPIRED')
           LIMIT 1) IS NULL;
  RETURN added - ended - aged;
END
$$;

-- Whether all windows that a draft was evaluated by still come to what was read: `p_reads` is a list of
-- {"after", "scope", "id", "platform", "tool", "measure", "value"}.
CREATE FUNCTION oc_windows_last(p_ledger text, p_reads jsonb) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  each record;
BEGIN
  FOR each IN
    SELECT * FROM jsonb_to_recordset(p_reads) AS w(after bigint, scope text, id text, platform text, tool text, measure text, value numeric)
  LOOP
    IF (each.scope IN ('agent', 'person', 'organization') AND each.id IS NOT NULL AND each.after >= 0 AND each.value IS NOT NULL)
       IS NOT TRUE THEN
      RAISE EXCEPTION 'a window has a scope, an id, a position and a value' USING ERRCODE = 'OC003';
    END IF;
    IF (oc_window_since(p_ledger, each.after, each.scope, each.id, each.platform, each.tool, each.measure) = each.value) IS NOT TRUE THEN
      RETURN false;
    END IF;
  END LOOP;
  RETURN true;
END
$$;

REVOKE ALL ON FUNCTION oc_windows_last(text, jsonb), oc_window_since(text, bigint, text, text, text, text, text),
  oc_window(text, bigint, timestamptz, text, text, text, text, text, bigint),
  oc_window_over(text, bigint, timestamptz, text, text, text, text, text, bigint),
  oc_window_moved(text, bigint, bigint, timestamptz, timestamptz, text, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_window(text, bigint, timestamptz, text, text, text, text, text, bigint),
  oc_window_over(text, bigint, timestamptz, text, text, text, text, text, bigint),
  oc_window_moved(text, bigint, bigint, timestamptz, timestamptz, text, text, text, text, text) TO oc_app, oc_auditor;

RESET ROLE;
SELECT oc_guard.record();
