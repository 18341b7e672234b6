-- What makes oc_audit_log append-only, for its owner and for superusers too.

SET LOCAL ROLE oc_owner;

CREATE FUNCTION oc_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION 'oc_audit_log is append-only. Modification and deletion are blocked for Article 12 compliance.'
    USING ERRCODE = 'OC403';
END
$$;

-- Every inserted row must extend its chain, for every role: the first row of a ledger follows its head, each other row the one
-- before it, and the head is set to the last. Only the head is read, so the cost does not depend on the number of partitions.
CREATE FUNCTION oc_check_links() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  link record;
BEGIN
  FOR link IN
    SELECT n.ledger, min(n.seq) AS first_seq, max(n.seq) AS last_seq,
           (array_agg(n.prev_hash) FILTER (WHERE n.before_seq IS NULL))[1] AS prev_hash,
           (array_agg(n.hash) FILTER (WHERE n.after_seq IS NULL))[1] AS hash, max(n.recorded_at) AS recorded_at,
           min(n.seq) FILTER (WHERE n.before_seq IS NOT NULL
                              AND (n.before_seq <> n.seq - 1 OR n.before_hash IS DISTINCT FROM n.prev_hash
                                   OR n.before_time > n.recorded_at)) AS broken
      FROM (SELECT i.ledger, i.seq, i.hash, i.prev_hash, i.recorded_at, lag(i.seq) OVER w AS before_seq,
                   lag(i.hash) OVER w AS before_hash, lag(i.recorded_at) OVER w AS before_time, lead(i.seq) OVER w AS after_seq
              FROM inserted i WINDOW w AS (PARTITION BY i.ledger ORDER BY i.seq)) n
     GROUP BY n.ledger
  LOOP
    UPDATE oc_ledger_head h SET seq = link.last_seq, hash = link.hash, recorded_at = link.recorded_at
     WHERE h.ledger = link.ledger AND h.seq = link.first_seq - 1 AND h.hash = link.prev_hash
       AND h.recorded_at <= link.recorded_at;
    IF NOT FOUND OR link.broken IS NOT NULL THEN
      RAISE EXCEPTION 'entry % of ledger % does not extend its chain', coalesce(link.broken, link.first_seq), link.ledger
        USING ERRCODE = 'OC409';
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;

-- What comes next is checked against the head. So nobody removes it, sets it back, or moves it but by inserting entries: a row
-- behind an earlier head could stand at a position that is taken in another partition.
CREATE FUNCTION oc_refuse_head() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION 'oc_ledger_head begins before the first entry and moves on with entries alone' USING ERRCODE = 'OC403';
END
$$;
CREATE TRIGGER oc_refuse_statement BEFORE DELETE OR TRUNCATE ON oc_ledger_head
  FOR EACH STATEMENT EXECUTE FUNCTION oc_refuse_head();
CREATE TRIGGER oc_refuse_beginning BEFORE INSERT ON oc_ledger_head FOR EACH ROW
  WHEN (new.seq <> 0 OR new.hash <> decode(repeat('00', 32), 'hex')) EXECUTE FUNCTION oc_refuse_head();
-- Depth 0: not by oc_check_links, or by what somebody made to look like it; that cannot set it back either.
CREATE TRIGGER oc_refuse_row BEFORE UPDATE ON oc_ledger_head FOR EACH ROW
  WHEN ((new.ledger, new.seq, new.hash, new.recorded_at) IS DISTINCT FROM (old.ledger, old.seq, old.hash, old.recorded_at)
        AND (pg_trigger_depth() = 0 OR new.ledger <> old.ledger OR new.seq <= old.seq OR new.recorded_at < old.recorded_at))
  EXECUTE FUNCTION oc_refuse_head();
ALTER TABLE oc_ledger_head ENABLE ALWAYS TRIGGER oc_refuse_statement, ENABLE ALWAYS TRIGGER oc_refuse_beginning,
  ENABLE ALWAYS TRIGGER oc_refuse_row;

-- Puts the guards and the unique indexes on one table of the family: oc_audit_log itself or one of its partitions.
CREATE FUNCTION oc_guard_table(p_table regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  is_parent boolean := p_table = 'public.oc_audit_log'::regclass;
  name text := (SELECT relname FROM pg_class WHERE oid = p_table);
  guard record;
BEGIN
  IF NOT is_parent THEN
    -- Rows up to a page stay in line: compressing 3 KB on every append would cost more than the space is worth.
    EXECUTE format('ALTER TABLE %s SET (toast_tuple_target = 8160)', p_table);
    EXECUTE format('CREATE UNIQUE INDEX %I ON %s (ledger, seq)', name || '_seq', p_table);
    EXECUTE format('CREATE UNIQUE INDEX %I ON %s (prev_hash, ledger)', name || '_prev_hash', p_table);
  END IF;
  EXECUTE format('CREATE TRIGGER oc_refuse_statement BEFORE UPDATE OR DELETE OR TRUNCATE ON %s
                  FOR EACH STATEMENT EXECUTE FUNCTION oc_refuse_change()', p_table);
  EXECUTE format('CREATE TRIGGER oc_check_links AFTER INSERT ON %s REFERENCING NEW TABLE AS inserted
                  FOR EACH STATEMENT EXECUTE FUNCTION oc_check_links()', p_table);
  IF is_parent THEN -- a row trigger on the parent is cloned to its partitions, present and future
    EXECUTE format('CREATE TRIGGER oc_refuse_row BEFORE UPDATE OR DELETE ON %s
                    FOR EACH ROW EXECUTE FUNCTION oc_refuse_change()', p_table);
  END IF;
  FOR guard IN SELECT tgname FROM pg_trigger WHERE tgrelid = p_table AND NOT tgisinternal LOOP
    EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER %I', p_table, guard.tgname);
  END LOOP;
END
$$;

-- Creates the partition of one month (UTC), guarded, unless it exists. Returns whether it was created.
-- Runs as owner for a server's job; the default partition catches what comes before the job does.
CREATE FUNCTION oc_ensure_partition(p_month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  first_day date := date_trunc('month', p_month::timestamp)::date;
  name text := 'oc_audit_log_' || to_char(first_day, 'YYYY_MM');
  was_migrating text := coalesce(current_setting('countersign.migration', true), '');
BEGIN
  -- The server may ask for the months that are near; nobody has a use for others, and they could not be taken back.
  IF p_month NOT BETWEEN current_date - 31 AND current_date + 800 THEN
    RAISE EXCEPTION 'partitions are made for the last month to two years ahead, not for %', p_month USING ERRCODE = 'OC004';
  END IF;
  IF to_regclass('public.' || name) IS NOT NULL THEN
    RETURN false;
  END IF;
  PERFORM set_config('countersign.migration', 'on', true);
  EXECUTE format('CREATE TABLE public.%I PARTITION OF public.oc_audit_log FOR VALUES FROM (%L) TO (%L)', name,
                 first_day::text || ' 00:00:00+00', (first_day + interval '1 month')::date::text || ' 00:00:00+00');
  PERFORM oc_guard_table(('public.' || name)::regclass);
  PERFORM set_config('countersign.migration', was_migrating, true);
  RETURN true;
END
$$;
REVOKE ALL ON FUNCTION oc_ensure_partition(date), oc_guard_table(regclass), oc_refuse_change(), oc_check_links(),
  oc_refuse_head() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_ensure_partition(date) TO oc_app;

SELECT oc_guard_table('oc_audit_log');
CREATE TABLE oc_audit_log_default PARTITION OF oc_audit_log DEFAULT;
SELECT oc_guard_table('oc_audit_log_default');
SELECT oc_ensure_partition(current_date), oc_ensure_partition((current_date + interval '1 month')::date);
