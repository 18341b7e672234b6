-- What makes oc_audit_log append-only, for its owner and for superusers too.

SET LOCAL ROLE oc_owner;

-- Refuses with the message that the trigger gives.
CREATE FUNCTION oc_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = 'OC403';
END
$$;

-- The edges that the proposal of a write in p_ledger records, in their order: to the reads that it is observed to have values of, then
-- to those that are possible, then to the chain that it names as its source and not among these, then to reads of other ledgers that its
-- policy depended on and that are not among these. src/facts/edges.ts says the same.
CREATE FUNCTION oc_edges(p_ledger text, p_source uuid, p_lineage jsonb, p_reads jsonb)
RETURNS TABLE (n smallint, kind text, source_chain uuid, source_platform text, source_region text, source_ledger text,
               source_seq bigint, "values" integer, strength integer, reads integer)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT (row_number() OVER (ORDER BY r.part, r.n))::smallint, CASE r.part WHEN 1 THEN 'OBSERVED' ELSE 'POSSIBLE' END,
           (r.read ->> 'chain')::uuid, r.read ->> 'platform', r.read ->> 'region', coalesce(r.read ->> 'ledger', p_ledger),
           CASE WHEN r.read ->> 'seq' ~ '^[0-9]{1,18}$' THEN (r.read ->> 'seq')::bigint END, CASE WHEN r.part = 1 THEN (r.read ->> 'values')::integer END,
           CASE WHEN r.part = 1 THEN (r.read ->> 'strength')::integer END,
           CASE WHEN r.part = 2 THEN (r.read ->> 'reads')::integer END
      FROM (SELECT 1 AS part, o.n, o.read FROM jsonb_array_elements(p_lineage -> 'observed') WITH ORDINALITY AS o(read, n)
             UNION ALL
            SELECT 2, o.n, o.read FROM jsonb_array_elements(p_lineage -> 'possible') WITH ORDINALITY AS o(read, n)
             UNION ALL
            SELECT 3, 1, jsonb_build_object('chain', p_source)
             WHERE p_source IS NOT NULL
               AND (p_lineage -> 'observed' @> jsonb_build_array(jsonb_build_object('chain', p_source))
                    OR p_lineage -> 'possible' @> jsonb_build_array(jsonb_build_object('chain', p_source))) IS NOT TRUE
             UNION ALL
            SELECT 4, o.n, o.read FROM jsonb_array_elements(p_reads -> 'known') WITH ORDINALITY AS o(read, n)
             WHERE o.read ->> 'ledger' <> p_ledger
               AND (p_lineage -> 'possible' @> jsonb_build_array(jsonb_build_object('ledger', o.read -> 'ledger', 'seq', o.read -> 'seq')))
                   IS NOT TRUE) r;
END
$$;

-- Every inserted row must extend its chain, for every role: the first row of a ledger follows its head, each other row the one
-- before it, and the head is set to the last. Only the head is read, so the cost does not depend on the number of partitions.
-- The first row of a month is recorded in oc_ledger_month, and the edges of proposals in oc_lineage_edge.
CREATE FUNCTION oc_check_links() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  each record;
BEGIN
  FOR each IN
    WITH link AS MATERIALIZED (
      SELECT n.ledger, min(n.seq) AS first_seq, max(n.seq) AS last_seq,
             (array_agg(n.prev_hash) FILTER (WHERE n.before_seq IS NULL))[1] AS prev_hash,
             (array_agg(n.hash) FILTER (WHERE n.after_seq IS NULL))[1] AS hash,
             min(n.recorded_at) AS first_time, max(n.recorded_at) AS recorded_at,
             min(n.seq) FILTER (WHERE n.before_seq IS NOT NULL
                                AND (n.before_seq <> n.seq - 1 OR n.before_hash IS DISTINCT FROM n.prev_hash
                                     OR n.before_time > n.recorded_at)) AS broken
        FROM (SELECT i.ledger, i.seq, i.hash, i.prev_hash, i.recorded_at, lag(i.seq) OVER w AS before_seq,
                     lag(i.hash) OVER w AS before_hash, lag(i.recorded_at) OVER w AS before_time, lead(i.seq) OVER w AS after_seq
                FROM inserted i WINDOW w AS (PARTITION BY i.ledger ORDER BY i.seq)) n
       GROUP BY n.ledger
    ), moved AS (
      UPDATE oc_ledger_head h SET seq = l.last_seq, hash = l.hash, recorded_at = l.recorded_at
        FROM link l
       WHERE h.ledger = l.ledger AND h.seq = l.first_seq - 1 AND h.hash = l.prev_hash AND h.recorded_at <= l.first_time
         AND l.broken IS NULL
      RETURNING WITH (OLD AS before) h.ledger, before.recorded_at AS head_time
    )
    SELECT l.ledger, coalesce(l.broken, l.first_seq) AS seq, m.ledger IS NULL AS refused, m.head_time
      FROM link l LEFT JOIN moved m ON m.ledger = l.ledger
     WHERE m.ledger IS NULL OR m.head_time < date_trunc('month', l.recorded_at, 'UTC')
  LOOP
    IF each.refused THEN
      RAISE EXCEPTION 'entry % of ledger % does not extend its chain', each.seq, each.ledger USING ERRCODE = 'OC409';
    END IF;
    INSERT INTO oc_ledger_month (ledger, first_seq, starts, ends)
    SELECT each.ledger, min(i.seq), m.starts, date_add(m.starts, '1 month', 'UTC')
      FROM inserted i, LATERAL (SELECT date_trunc('month', i.recorded_at, 'UTC') AS starts) m
     WHERE i.ledger = each.ledger AND m.starts > each.head_time
     GROUP BY m.starts;
  END LOOP;
  -- Most entries have no edges, which a search in their text shows; parsing each would take longer than everything else here. Within
  -- a string of the entry, quotes have backslashes before them.
  IF EXISTS (SELECT FROM inserted i
              WHERE i.type = 'ACTION_PROPOSED'
                AND (i.source_chain IS NOT NULL OR strpos(i.entry, '"lineage":{') > 0 OR strpos(i.entry, '"reads":{') > 0)) THEN
    INSERT INTO oc_lineage_edge (ledger, seq, n, kind, chain, platform, region, source_chain, source_platform, source_region,
                                 source_ledger, source_seq, "values", strength, reads, recorded_at, action)
    SELECT i.ledger, i.seq, d.n, d.kind, b.chain, b.platform, b.region, d.source_chain, d.source_platform, d.source_region,
           d.source_ledger, d.source_seq, d."values", d.strength, d.reads, i.recorded_at, b.action
      FROM inserted i
     CROSS JOIN LATERAL jsonb_to_record(i.entry::jsonb -> 'body')
             AS b(chain uuid, platform text, region text, "sourceChain" uuid, action uuid, lineage jsonb, reads jsonb)
     CROSS JOIN LATERAL oc_edges(i.ledger, b."sourceChain", b.lineage, b.reads) d
     WHERE i.type = 'ACTION_PROPOSED'
       AND (i.source_chain IS NOT NULL OR strpos(i.entry, '"lineage":{') > 0 OR strpos(i.entry, '"reads":{') > 0)
       -- What is not of a proposal has no edges; verification says that it is none.
       AND b.chain IS NOT NULL AND b.platform IS NOT NULL AND b.region IS NOT NULL AND b.action IS NOT NULL;
  END IF;
  RETURN NULL;
END
$$;

-- What comes next is checked against the head. So nobody removes it, sets it back, or moves it but by inserting entries: a row
-- behind an earlier head could stand at a position that is taken in another partition.
CREATE TRIGGER oc_refuse_statement BEFORE DELETE OR TRUNCATE ON oc_ledger_head
  FOR EACH STATEMENT EXECUTE FUNCTION oc_refuse_change('oc_ledger_head begins before the first entry and moves on with entries alone');
CREATE TRIGGER oc_refuse_beginning BEFORE INSERT ON oc_ledger_head FOR EACH ROW
  WHEN (new.seq <> 0 OR new.hash <> decode(repeat('00', 32), 'hex'))
  EXECUTE FUNCTION oc_refuse_change('oc_ledger_head begins before the first entry and moves on with entries alone');
-- Depth 0: not by oc_check_links, or by what somebody made to look like it; that cannot set it back either.
CREATE TRIGGER oc_refuse_row BEFORE UPDATE ON oc_ledger_head FOR EACH ROW
  WHEN ((new.ledger, new.seq, new.hash, new.recorded_at) IS DISTINCT FROM (old.ledger, old.seq, old.hash, old.recorded_at)
        AND (pg_trigger_depth() = 0 OR new.ledger <> old.ledger OR new.seq <= old.seq OR new.recorded_at < old.recorded_at))
  EXECUTE FUNCTION oc_refuse_change('oc_ledger_head begins before the first entry and moves on with entries alone');
ALTER TABLE oc_ledger_head ENABLE ALWAYS TRIGGER oc_refuse_statement, ENABLE ALWAYS TRIGGER oc_refuse_beginning,
  ENABLE ALWAYS TRIGGER oc_refuse_row;

-- A month is recorded by oc_check_links and stays: reads by position look for entries only where these rows say.
CREATE TRIGGER oc_refuse_statement BEFORE UPDATE OR DELETE OR TRUNCATE ON oc_ledger_month
  FOR EACH STATEMENT EXECUTE FUNCTION oc_refuse_change('oc_ledger_month grows with entries alone');
-- Depth 0: not by oc_check_links.
CREATE TRIGGER oc_refuse_row BEFORE INSERT ON oc_ledger_month
  FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION oc_refuse_change('oc_ledger_month grows with entries alone');
ALTER TABLE oc_ledger_month ENABLE ALWAYS TRIGGER oc_refuse_statement, ENABLE ALWAYS TRIGGER oc_refuse_row;

-- Edges are what entries say, so they come with entries alone, and stay.
CREATE TRIGGER oc_refuse_statement BEFORE UPDATE OR DELETE OR TRUNCATE ON oc_lineage_edge
  FOR EACH STATEMENT EXECUTE FUNCTION oc_refuse_change('oc_lineage_edge grows with entries alone');
-- Depth 0: not by oc_check_links.
CREATE TRIGGER oc_refuse_row BEFORE INSERT ON oc_lineage_edge
  FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION oc_refuse_change('oc_lineage_edge grows with entries alone');
ALTER TABLE oc_lineage_edge ENABLE ALWAYS TRIGGER oc_refuse_statement, ENABLE ALWAYS TRIGGER oc_refuse_row;

-- A state is what the entry says that it names. So a row is written only with an entry of the last append to its ledger, has that
-- entry's hash and what it says of that thing, and comes after the row it replaces. Entries of earlier appends are not accepted:
-- with one of those an old state could be put back.
CREATE FUNCTION oc_check_states() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  ledgers text[];
  moment timestamptz;
  expected bigint;
  actual bigint;
BEGIN
  SELECT array_agg(DISTINCT n.ledger), count(*) INTO ledgers, expected FROM written n;
  FOR i IN 1 .. cardinality(ledgers) LOOP
    moment := (SELECT h.recorded_at FROM oc_ledger_head h WHERE h.ledger = ledgers[i]);
    -- The text of an entry names what it moves as {"id":…,"kind":…,"state":{…},"version":…}. Searching it takes a tenth of the time
    -- of parsing it; within a string, its quotes would have backslashes before them.
    SELECT count(*) INTO actual
      FROM written n
     CROSS JOIN LATERAL (SELECT x.entry, x.hash FROM oc_audit_log x
                          WHERE x.ledger = ledgers[i] AND x.seq = n.updated_seq AND x.recorded_at = moment LIMIT 1) e
     WHERE n.ledger = ledgers[i] AND e.hash = n.hash
       AND strpos(split_part(e.entry, '{"id":' || to_json(n.id) || ',"kind":"' || n.kind || '","state":{', 2),
                  '},"version":' || n.version || '}') > 0;
    expected := expected - actual;
  END LOOP;
  IF expected <> 0 THEN
    -- As for a malformed draft: the text of one that is not canonical does not name what it moves like this.
    RAISE EXCEPTION 'oc_state is written with the entry that says so, and with nothing else' USING ERRCODE = 'OC003';
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER oc_refuse_statement BEFORE DELETE OR TRUNCATE ON oc_state
  FOR EACH STATEMENT EXECUTE FUNCTION oc_refuse_change('oc_state is a cache of what entries say: it changes with an entry alone');
-- One thing stays one thing, and its versions follow each other.
CREATE TRIGGER oc_refuse_row BEFORE UPDATE ON oc_state FOR EACH ROW
  WHEN (new.ledger <> old.ledger OR new.kind <> old.kind OR new.id <> old.id OR new.version <> old.version + 1
        OR new.first_seq <> old.first_seq OR new.updated_seq <= old.updated_seq
        OR new.entries[:old.version] <> old.entries OR new.actor_id IS DISTINCT FROM old.actor_id
        OR new.on_behalf_of_id IS DISTINCT FROM old.on_behalf_of_id OR new.conversation <> old.conversation)
  EXECUTE FUNCTION oc_refuse_change('oc_state is a cache of what entries say: it changes with an entry alone');
CREATE TRIGGER oc_check_made AFTER INSERT ON oc_state REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION oc_check_states();
CREATE TRIGGER oc_check_moved AFTER UPDATE ON oc_state REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION oc_check_states();

-- What the search index (000011) has of a value is removed with the value, in the same transaction. The row of a segment that
-- another transaction holds is left to the job that reads oc_work.search_erased: no erasure waits for another, or for that job.
CREATE FUNCTION oc_search_forget() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  of_value bigint := (OLD.seq - 1) >> 11;
BEGIN
  INSERT INTO oc_work.search_erased (ledger, segment) VALUES (OLD.ledger, of_value);
  PERFORM FROM oc_work.search_segment s WHERE s.ledger = OLD.ledger AND s.segment = of_value FOR UPDATE SKIP LOCKED;
  IF FOUND THEN
    DELETE FROM oc_work.search_segment s WHERE s.ledger = OLD.ledger AND s.segment = of_value;
  END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION oc_search_forget_all() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  INSERT INTO oc_work.search_erased (ledger, segment) SELECT s.ledger, s.segment FROM oc_work.search_segment s;
  DELETE FROM oc_work.search_segment;
  RETURN NULL;
END
$$;

-- What was read is recognized by fingerprints (000019), which whoever has the keys can compare with a guess. So they are removed with any
-- value of that action, what was asked for or what came of it, in the same transaction.
CREATE FUNCTION oc_reads_forget() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  DELETE FROM oc_work.read_fingerprints f USING oc_audit_log e
   WHERE e.ledger = OLD.ledger AND e.seq = OLD.seq AND e.recorded_at = OLD.recorded_at
     AND f.ledger = OLD.ledger AND f.action = e.action_id;
  IF FOUND THEN
    INSERT INTO oc_work.forgotten_reads AS r (ledger, times) VALUES (OLD.ledger, 1)
    ON CONFLICT (ledger) DO UPDATE SET times = r.times + 1;
  END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION oc_reads_forget_all() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  INSERT INTO oc_work.forgotten_reads AS r (ledger, times) SELECT DISTINCT f.ledger, 1 FROM oc_work.read_fingerprints f
  ON CONFLICT (ledger) DO UPDATE SET times = r.times + 1;
  DELETE FROM oc_work.read_fingerprints;
  RETURN NULL;
END
$$;

-- Makes all triggers of one table fire for everybody, also with session_replication_role = replica.
CREATE FUNCTION oc_always(p_table regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  guard record;
BEGIN
  FOR guard IN SELECT tgname FROM pg_trigger WHERE tgrelid = p_table AND NOT tgisinternal LOOP
    EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER %I', p_table, guard.tgname);
  END LOOP;
END
$$;

-- Puts the unique indexes, and on entries the guards, on one table of the two families: oc_audit_log or oc_audit_payload itself,
-- or one of their partitions.
CREATE FUNCTION oc_guard_table(p_table regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  name text := (SELECT relname FROM pg_class WHERE oid = p_table);
  is_parent boolean := name IN ('oc_audit_log', 'oc_audit_payload');
  refusal constant text := 'oc_audit_log is append-only. Modification and deletion are blocked for Article 12 compliance.';
BEGIN
  IF NOT is_parent THEN
    -- Rows up to a page stay in line: compressing 3 KB on every append would cost more than the space is worth.
    EXECUTE format('ALTER TABLE %s SET (toast_tuple_target = 8160)', p_table);
    EXECUTE format('CREATE UNIQUE INDEX %I ON %s (ledger, seq)', name || '_seq', p_table);
  END IF;
  IF name ~ '^oc_audit_payload' THEN
    EXECUTE format('CREATE TRIGGER oc_search_forget_all AFTER TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION oc_search_forget_all()', p_table);
    EXECUTE format('CREATE TRIGGER oc_reads_forget_all AFTER TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION oc_reads_forget_all()', p_table);
    IF is_parent THEN
      EXECUTE format('CREATE TRIGGER oc_search_forget AFTER UPDATE OR DELETE ON %s
                      FOR EACH ROW EXECUTE FUNCTION oc_search_forget()', p_table);
      EXECUTE format('CREATE TRIGGER oc_reads_forget AFTER UPDATE OR DELETE ON %s
                      FOR EACH ROW EXECUTE FUNCTION oc_reads_forget()', p_table);
    END IF;
    PERFORM oc_always(p_table);
    RETURN;
  END IF;
  IF NOT is_parent THEN
    EXECUTE format('CREATE UNIQUE INDEX %I ON %s (prev_hash, ledger)', name || '_prev_hash', p_table);
  END IF;
  EXECUTE format('CREATE TRIGGER oc_refuse_statement BEFORE UPDATE OR DELETE OR TRUNCATE ON %s
                  FOR EACH STATEMENT EXECUTE FUNCTION oc_refuse_change(%L)', p_table, refusal);
  EXECUTE format('CREATE TRIGGER oc_check_links AFTER INSERT ON %s REFERENCING NEW TABLE AS inserted
                  FOR EACH STATEMENT EXECUTE FUNCTION oc_check_links()', p_table);
  IF is_parent THEN -- a row trigger on the parent is cloned to its partitions, present and future
    EXECUTE format('CREATE TRIGGER oc_refuse_row BEFORE UPDATE OR DELETE ON %s
                    FOR EACH ROW EXECUTE FUNCTION oc_refuse_change(%L)', p_table, refusal);
  END IF;
  PERFORM oc_always(p_table);
END
$$;

-- Makes the partition of one month (UTC) in one family, with the rows that p_source has of it, and guards it.
CREATE FUNCTION oc_make_month(p_family text, p_first_day date, p_source regclass DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  name text := p_family || to_char(p_first_day, '_YYYY_MM');
  starts text := p_first_day || ' 00:00:00+00';
  ends text := (p_first_day + interval '1 month')::date || ' 00:00:00+00';
BEGIN
  EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)', name, p_family, starts, ends);
  IF p_source IS NOT NULL THEN
    EXECUTE format('INSERT INTO public.%1$I (%2$s) SELECT %2$s FROM %3$s WHERE recorded_at >= %4$L AND recorded_at < %5$L', name,
                   oc_columns(p_family), p_source, starts, ends);
  END IF;
  PERFORM oc_guard_table(('public.' || name)::regclass);
END
$$;

-- The columns of a table, as a list for a statement.
CREATE FUNCTION oc_columns(p_table text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
         WHERE attrelid = ('public.' || p_table)::regclass AND attnum > 0 AND NOT attisdropped);

-- How many rows some tables have together, and one hash over all values of all of them.
CREATE FUNCTION oc_digest(p_tables text[], p_columns text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  digest text;
BEGIN
  EXECUTE format($sql$SELECT count(*) || ' rows ' || coalesce(encode(sha256(string_agg(sha256(convert_to(r.row, 'UTF8')), ''
                        ORDER BY r.ledger, r.seq, r.row)), 'hex'), '') FROM (%s) r$sql$,
                 (SELECT string_agg(format('SELECT ledger, seq, ROW(%s)::text AS row FROM public.%I', p_columns, t), ' UNION ALL ')
                    FROM unnest(p_tables) AS t)) INTO digest;
  RETURN digest;
END
$$;

-- Moves what the default partitions hold into partitions of its months. A row cannot be deleted, so the default partition as a
-- whole makes room for an empty one, after its rows were copied and compared. Nothing of it is visible, or possible, before the
-- transaction commits; it waits for whoever reads, and appends wait for it.
CREATE FUNCTION oc_empty_default() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  families constant text[] := '{oc_audit_log,oc_audit_payload}';
  family text;
  month date;
  months date[];
  digests text[];
BEGIN
  SELECT array_agg(DISTINCT date_trunc('month', d.recorded_at AT TIME ZONE 'UTC')::date) INTO months
    FROM (SELECT recorded_at FROM oc_audit_log_default UNION ALL SELECT recorded_at FROM oc_audit_payload_default) d;
  FOREACH family IN ARRAY families LOOP
    digests := digests || oc_digest(ARRAY[family || '_default'], oc_columns(family));
    EXECUTE format('ALTER TABLE public.%1$I DETACH PARTITION public.%2$I; ALTER TABLE public.%2$I RENAME TO %3$I', family,
                   family || '_default', family || '_leaving');
  END LOOP;
  FOREACH family IN ARRAY families LOOP
    FOREACH month IN ARRAY months LOOP
      PERFORM oc_make_month(family, month, ('public.' || family || '_leaving')::regclass);
    END LOOP;
    IF oc_digest(ARRAY(SELECT family || to_char(m, '_YYYY_MM') FROM unnest(months) AS m), oc_columns(family))
       IS DISTINCT FROM digests[array_position(families, family)] THEN
      RAISE EXCEPTION 'the rows of %_default are not the same after they were copied; nothing was changed', family
        USING ERRCODE = 'OC409';
    END IF;
    EXECUTE format('DROP TABLE public.%1$I_leaving; CREATE TABLE public.%1$I_default PARTITION OF public.%1$I DEFAULT', family);
    PERFORM oc_guard_table(('public.' || family || '_default')::regclass);
  END LOOP;
END
$$;

-- Makes the guarded partitions of one month (UTC) if they are not there. Returns whether it made one. Runs as owner for a server's
-- job; the default partitions catch what comes before the job does, and are emptied into months by the next call.
CREATE FUNCTION oc_ensure_partition(p_month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
  first_day date := date_trunc('month', p_month::timestamp)::date;
  families constant text[] := '{oc_audit_log,oc_audit_payload}';
  family text;
  was_migrating text := coalesce(current_setting('countersign.migration', true), '');
  missing text[];
BEGIN
  -- The server may ask for the months that are near; nobody has a use for others, and they could not be taken back.
  IF p_month NOT BETWEEN current_date - 31 AND current_date + 800 THEN
    RAISE EXCEPTION 'partitions are made for the last month to two years ahead, not for %', p_month USING ERRCODE = 'OC004';
  END IF;
  -- One call at a time. Two calls that have both read the default partitions would each wait for the other to unlock them.
  PERFORM pg_advisory_xact_lock(hashtextextended('oc_ensure_partition', 0));
  missing := ARRAY(SELECT f FROM unnest(families) f WHERE to_regclass('public.' || f || to_char(first_day, '_YYYY_MM')) IS NULL);
  IF missing = '{}' AND NOT EXISTS (SELECT FROM oc_audit_log_default) AND NOT EXISTS (SELECT FROM oc_audit_payload_default) THEN
    RETURN false;
  END IF;
  -- In the order in which an append locks them. Until then appends may add rows to the default partitions.
  LOCK TABLE ONLY oc_audit_log IN ACCESS EXCLUSIVE MODE;
  LOCK TABLE ONLY oc_audit_payload IN ACCESS EXCLUSIVE MODE;
  PERFORM set_config('countersign.migration', 'on', true);
  IF EXISTS (SELECT FROM oc_audit_log_default) OR EXISTS (SELECT FROM oc_audit_payload_default) THEN
    PERFORM oc_empty_default();
  END IF;
  FOREACH family IN ARRAY missing LOOP
    IF to_regclass('public.' || family || to_char(first_day, '_YYYY_MM')) IS NULL THEN
      PERFORM oc_make_month(family, first_day);
    END IF;
  END LOOP;
  PERFORM set_config('countersign.migration', was_migrating, true);
  RETURN missing <> '{}';
END
$$;
REVOKE ALL ON FUNCTION oc_ensure_partition(date), oc_empty_default(), oc_make_month(text, date, regclass), oc_columns(text),
  oc_digest(text[], text), oc_guard_table(regclass), oc_always(regclass), oc_refuse_change(), oc_check_links(),
  oc_edges(text, uuid, jsonb, jsonb), oc_check_states(), oc_search_forget(), oc_search_forget_all(), oc_reads_forget(), oc_reads_forget_all() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_ensure_partition(date) TO oc_app;

SELECT oc_always('oc_state');

SELECT oc_guard_table('oc_audit_log'), oc_guard_table('oc_audit_payload');
CREATE TABLE oc_audit_log_default PARTITION OF oc_audit_log DEFAULT;
CREATE TABLE oc_audit_payload_default PARTITION OF oc_audit_payload DEFAULT;
SELECT oc_guard_table('oc_audit_log_default'), oc_guard_table('oc_audit_payload_default');
SELECT oc_ensure_partition(current_date), oc_ensure_partition((current_date + interval '1 month')::date);
