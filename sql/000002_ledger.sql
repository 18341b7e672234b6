-- The ledger: entries, erasable payloads, heads; and the state that only entries can change.

SET LOCAL ROLE oc_owner;

-- The measures that the text of a proposal records, as far as they are decimals; null when it is no proposal that windows count.
CREATE FUNCTION oc_measures(entry text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  measures jsonb := entry::jsonb #> '{body,measures}';
BEGIN
  IF measures IS NULL OR jsonb_typeof(measures) <> 'object' THEN
    RETURN NULL;
  END IF;
  RETURN coalesce((SELECT jsonb_object_agg(m.key, m.value) FROM jsonb_each_text(measures) m
                    WHERE m.value ~ '^[0-9]{1,18}([.][0-9]{1,18})?$'), '{}');
END $$;
REVOKE ALL ON FUNCTION oc_measures(text) FROM PUBLIC;

-- One row is one immutable fact. `entry` is the authority: every other column is derived from it by the database
-- in the statement that inserts it, and the verifier compares them again.
CREATE TABLE oc_audit_log (
  ledger         text        NOT NULL,
  seq            bigint      NOT NULL CHECK (seq >= 1),
  recorded_at    timestamptz NOT NULL,
  entry          text        NOT NULL,
  hash           bytea       NOT NULL,
  prev_hash      bytea       NOT NULL CHECK (octet_length(prev_hash) = 32),
  id             uuid        NOT NULL,
  type           text        NOT NULL,
  actor_id       text,
  on_behalf_of_id text,
  session_id     uuid,
  action_id      uuid,
  state_version  integer,
  platform       text,
  tool           text,
  effect         text,
  chain          uuid,
  source_chain   uuid,
  -- Of a proposal that windows count (000015).
  measures       jsonb,
  CONSTRAINT oc_audit_log_hash CHECK (hash = sha256(convert_to(entry, 'UTF8'))),
  -- The bytes end in …"prevHash":"<64>","recordedAt":"<27>","seq":"<seq>","v":1}: they must name the column's value.
  CONSTRAINT oc_audit_log_prev_hash CHECK (
    substring(convert_to(entry, 'UTF8') FROM octet_length(entry) - 123 - length(seq::text) FOR 64)
      = convert_to(encode(prev_hash, 'hex'), 'UTF8')),
  -- No other value than the text has can be stored, and none left out.
  CONSTRAINT oc_audit_log_measures CHECK (
    measures IS NOT DISTINCT FROM
      CASE WHEN type = 'ACTION_PROPOSED' AND strpos(entry, '"measures":{') > 0 THEN oc_measures(entry) END)
) PARTITION BY RANGE (recorded_at);

COMMENT ON TABLE oc_audit_log IS 'Append-only: one row is one entry of format 1. Written by oc_ledger_append alone.';

-- A unique index cannot span partitions without the partition key; each partition has its own, and the insert
-- check (000003) covers the seam between them.
-- Only (ledger, seq) leads with the ledger: a plan made while the tables are small, and kept, then has no second
-- index to look a position up by. The others lead with what they are for.
-- Queries of the API that earn the others: actor, person and tool filters, walking a chain, walking lineage forward,
-- a session's timeline, refused attempts on an action (the accepted ones are listed in its row of oc_state), time ranges.
CREATE INDEX oc_audit_log_actor ON oc_audit_log (actor_id, ledger, seq);
CREATE INDEX oc_audit_log_on_behalf_of ON oc_audit_log (on_behalf_of_id, ledger, seq) WHERE on_behalf_of_id IS NOT NULL;
CREATE INDEX oc_audit_log_tool ON oc_audit_log (tool, ledger, seq) WHERE tool IS NOT NULL;
CREATE INDEX oc_audit_log_chain ON oc_audit_log (chain, ledger, seq) WHERE chain IS NOT NULL;
CREATE INDEX oc_audit_log_source_chain ON oc_audit_log (source_chain, ledger, seq) WHERE source_chain IS NOT NULL;
CREATE INDEX oc_audit_log_session ON oc_audit_log (session_id, ledger, seq) WHERE session_id IS NOT NULL;
CREATE INDEX oc_audit_log_attempts ON oc_audit_log (action_id, ledger, seq)
  WHERE action_id IS NOT NULL AND state_version IS NULL;
-- Of a retry after a commit of unknown outcome, which holds the head meanwhile. Ids are in the order of time, so this one grows
-- at its end.
CREATE INDEX oc_audit_log_id ON oc_audit_log (id);
CREATE INDEX oc_audit_log_recorded_at ON oc_audit_log USING brin (recorded_at);

-- The text of an entry, format 1 (docs: src/facts/FORMAT.md). The one place where the database writes it.
CREATE FUNCTION oc_entry_text(body text, middle text, prev_hash bytea, tail text, seq bigint) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '{"body":' || body || middle || encode(prev_hash, 'hex') || tail || seq::text || '","v":1}';
REVOKE ALL ON FUNCTION oc_entry_text(text, text, bytea, text, bigint) FROM PUBLIC;
-- Pure and harmless: anybody who verifies may write an entry's text the way the ledger does.
GRANT EXECUTE ON FUNCTION oc_entry_text(text, text, bytea, text, bigint) TO oc_app, oc_auditor;

-- Erasable values of one entry: {"<path in body>": {"salt": "<32 hex>", "value": <JSON>}, ...}, RFC 8785 text.
-- `json`, not `jsonb`: the commitments cover these bytes, and jsonb would rewrite them.
-- Partitioned like the entries, so that retention can detach both together.
CREATE TABLE oc_audit_payload (
  ledger      text        NOT NULL,
  seq         bigint      NOT NULL,
  payload     json        NOT NULL,
  -- Of its entry.
  recorded_at timestamptz NOT NULL
) PARTITION BY RANGE (recorded_at);

-- The row every append of a ledger locks: it orders them, whatever process they come from.
CREATE TABLE oc_ledger_head (
  ledger      text        PRIMARY KEY CHECK (ledger ~ '^[a-z0-9][a-z0-9-]{0,62}/[a-z0-9][a-z0-9-]{0,62}$'),
  seq         bigint      NOT NULL,
  hash        bytea       NOT NULL,
  recorded_at timestamptz NOT NULL,
  -- Calls of oc_ledger_append that were repeated after a commit of unknown outcome, the latest first.
  superseded  uuid[]      NOT NULL DEFAULT '{}'
) WITH (fillfactor = 20);

-- At which position each month (UTC) of a ledger begins; a month without entries has no row. Time never runs backwards along a
-- ledger, so this bounds the time of every position, and with it the partitions that a lookup by position has to open.
-- Written by oc_check_links (000004), once a month and ledger.
CREATE TABLE oc_ledger_month (
  ledger    text        NOT NULL,
  first_seq bigint      NOT NULL,
  starts    timestamptz NOT NULL,
  ends      timestamptz NOT NULL,
  PRIMARY KEY (ledger, first_seq)
);

-- The current state of each subject of a ledger (an action, a session, a principal, …), as in the latest entry that has it
-- among its `states`. A projection, never a fact. One table for all kinds: only the area that records a kind knows what it
-- means. Version n is the state in the entry at entries[n].
CREATE TABLE oc_state (
  ledger          text        NOT NULL,
  kind            text        NOT NULL CHECK (kind ~ '^[A-Z][A-Z_]{0,39}$' AND kind NOT IN ('LATE', 'WINDOW')),
  id              text        NOT NULL CHECK (length(id) BETWEEN 1 AND 400),
  version         integer     NOT NULL CHECK (version >= 1),
  state           jsonb       NOT NULL CHECK (jsonb_typeof(state) = 'object'),
  -- Of `state`, for indexes.
  status          text,
  expires_at      timestamptz,
  -- Of the entry that made it: who acted, for whom, and in which conversation ('': in none).
  actor_id        text,
  on_behalf_of_id text,
  conversation    text        NOT NULL,
  first_seq       bigint      NOT NULL,
  updated_seq     bigint      NOT NULL,
  entries         bigint[]    NOT NULL CHECK (cardinality(entries) = version),
  -- Of the entry at updated_seq.
  hash            bytea       NOT NULL,
  PRIMARY KEY (ledger, kind, id)
) WITH (fillfactor = 80);
COMMENT ON TABLE oc_state IS 'A cache of what entries say, written by oc_ledger_append alone. Indexes are those of each area.';

-- From where to where the data of a write went, or may have gone: the edges that its proposal records, in the order they have there.
-- A projection of entries alone, which never changes: written by oc_check_links (000004) with the entry.
CREATE TABLE oc_lineage_edge (
  ledger          text        NOT NULL,
  seq             bigint      NOT NULL,
  -- Its number among those of the entry, from 1.
  n               smallint    NOT NULL,
  kind            text        NOT NULL,
  -- Where it was written.
  chain           uuid        NOT NULL,
  platform        text        NOT NULL,
  region          text        NOT NULL,
  -- Where it was read. Null is what the entry does not say: it names a chain alone, or a read of another ledger without its chain.
  source_chain    uuid,
  source_platform text,
  source_region   text,
  source_ledger   text        NOT NULL,
  source_seq      bigint,
  -- Of an OBSERVED edge.
  "values"        integer,
  strength        integer,
  -- Of a POSSIBLE one.
  reads           integer,
  recorded_at     timestamptz NOT NULL,
  action          uuid        NOT NULL,
  PRIMARY KEY (ledger, seq, n)
);
COMMENT ON TABLE oc_lineage_edge IS 'The edges that proposals record, one row each: a copy of what entries say, written with them alone.';

-- What a job has to settle.
CREATE INDEX oc_state_due ON oc_state (kind, expires_at, ledger, id) WHERE expires_at IS NOT NULL;

-- Working tables: what is not a fact (indexes, counters, outboxes, job progress). Losing one may delay, repeat or refuse
-- something, and never permits anything.
RESET ROLE;
CREATE SCHEMA oc_work AUTHORIZATION oc_owner;
SET LOCAL ROLE oc_owner;
GRANT USAGE ON SCHEMA oc_work TO oc_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA oc_work GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO oc_app;

GRANT SELECT ON oc_audit_log, oc_audit_payload, oc_ledger_head, oc_ledger_month, oc_state, oc_lineage_edge TO oc_app, oc_auditor;

-- Reading by position. Each function looks into oc_ledger_month first and opens the partitions of those months alone, with
-- plans that are made once a connection: a plan over all partitions costs more to make, and to start, than the lookup. They run
-- with the rights of whoever calls.
--
-- They are not STABLE, though they change nothing: such a function sees what the statement that calls it saw before it waited for
-- the lock of a table. Rows that were moved into another partition meanwhile (oc_ensure_partition) would be in neither.

-- When the month of a position begins; null when the ledger has no position so early.
CREATE FUNCTION oc_month_start(p_ledger text, p_seq bigint) RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN (SELECT m.starts FROM oc_ledger_month m
           WHERE m.ledger = p_ledger AND m.first_seq <= p_seq ORDER BY m.first_seq DESC LIMIT 1);
END
$$;

-- The months with positions between two, both excluded, oldest first.
CREATE FUNCTION oc_months_between(p_ledger text, p_after bigint, p_before bigint) RETURNS TABLE (starts timestamptz, ends timestamptz)
LANGUAGE plpgsql ROWS 10 SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT m.starts, m.ends FROM oc_ledger_month m
     WHERE m.ledger = p_ledger AND m.first_seq < p_before
       AND m.first_seq >= coalesce((SELECT x.first_seq FROM oc_ledger_month x
                                     WHERE x.ledger = p_ledger AND x.first_seq - 1 <= p_after
                                     ORDER BY x.first_seq DESC LIMIT 1), 0)
     ORDER BY m.first_seq;
END
$$;

-- When the last p_months months with entries before p_until begin; null when there are none.
CREATE FUNCTION oc_months_before(p_ledger text, p_until timestamptz, p_months integer) RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN (SELECT min(m.starts) FROM (SELECT x.starts FROM oc_ledger_month x WHERE x.ledger = p_ledger AND x.starts < p_until
                                      ORDER BY x.first_seq DESC LIMIT p_months) m);
END
$$;

-- The entries of a ledger at some positions, in any order, each once; payloads only when asked for.
CREATE FUNCTION oc_entries_at(p_ledger text, p_seqs bigint[], p_payloads boolean DEFAULT false)
RETURNS TABLE (seq bigint, recorded_at timestamptz, type text, action_id uuid, entry text, hash bytea, payload json)
LANGUAGE plpgsql ROWS 10 SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  month record;
BEGIN
  FOR month IN
    SELECT m.starts, m.ends, array_agg(DISTINCT s.seq) AS seqs
      FROM unnest(p_seqs) AS s(seq)
     CROSS JOIN LATERAL (SELECT x.starts, x.ends FROM oc_ledger_month x
                          WHERE x.ledger = p_ledger AND x.first_seq <= s.seq ORDER BY x.first_seq DESC LIMIT 1) m
     GROUP BY m.starts, m.ends
  LOOP
    RETURN QUERY
      SELECT e.seq, e.recorded_at, e.type, e.action_id, e.entry, e.hash,
             CASE WHEN p_payloads THEN (SELECT p.payload FROM oc_audit_payload p
                                         WHERE p.ledger = p_ledger AND p.seq = e.seq
                                           AND p.recorded_at >= month.starts AND p.recorded_at < month.ends) END
        FROM oc_audit_log e
       WHERE e.ledger = p_ledger AND e.seq = ANY (month.seqs)
         AND e.recorded_at >= month.starts AND e.recorded_at < month.ends;
  END LOOP;
END
$$;

-- The first p_limit entries between two positions, both excluded, oldest first.
CREATE FUNCTION oc_entries_between(p_ledger text, p_after bigint, p_before bigint, p_limit bigint,
                                   p_payloads boolean DEFAULT false)
RETURNS TABLE (seq bigint, recorded_at timestamptz, type text, action_id uuid, entry text, hash bytea, payload json)
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  month record;
  found_rows bigint;
  wanted bigint := p_limit;
BEGIN
  FOR month IN SELECT m.starts, m.ends FROM oc_months_between(p_ledger, p_after, p_before) m LOOP
    RETURN QUERY
      SELECT e.seq, e.recorded_at, e.type, e.action_id, e.entry, e.hash,
             CASE WHEN p_payloads THEN (SELECT p.payload FROM oc_audit_payload p
                                         WHERE p.ledger = p_ledger AND p.seq = e.seq
                                           AND p.recorded_at >= month.starts AND p.recorded_at < month.ends) END
        FROM oc_audit_log e
       WHERE e.ledger = p_ledger AND e.seq > p_after AND e.seq < p_before
         AND e.recorded_at >= month.starts AND e.recorded_at < month.ends
       ORDER BY e.seq LIMIT wanted;
    GET DIAGNOSTICS found_rows = ROW_COUNT;
    wanted := wanted - found_rows;
    EXIT WHEN wanted <= 0;
  END LOOP;
END
$$;

-- The position of the entry with this hash, or null. No index holds hashes: an entry's hash is the next one's prev_hash, which
-- has one; the last entry's is the head's. The latest months are looked into first, then ever more.
CREATE FUNCTION oc_position_of(p_ledger text, p_hash bytea) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  found_seq bigint := (SELECT h.seq FROM oc_ledger_head h WHERE h.ledger = p_ledger AND h.hash = p_hash);
  until timestamptz := 'infinity';
  since timestamptz;
  months integer := 2;
BEGIN
  WHILE found_seq IS NULL AND until IS NOT NULL LOOP
    since := oc_months_before(p_ledger, until, months);
    found_seq := (SELECT n.seq - 1 FROM oc_audit_log n WHERE n.ledger = p_ledger AND n.prev_hash = p_hash
                     AND n.recorded_at >= since AND n.recorded_at < until LIMIT 1);
    until := since;
    months := months * 4;
  END LOOP;
  RETURN found_seq;
END
$$;

REVOKE ALL ON FUNCTION oc_month_start(text, bigint), oc_months_between(text, bigint, bigint),
  oc_months_before(text, timestamptz, integer), oc_entries_at(text, bigint[], boolean),
  oc_entries_between(text, bigint, bigint, bigint, boolean), oc_position_of(text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_month_start(text, bigint), oc_months_between(text, bigint, bigint),
  oc_months_before(text, timestamptz, integer), oc_entries_at(text, bigint[], boolean),
  oc_entries_between(text, bigint, bigint, bigint, boolean), oc_position_of(text, bytea) TO oc_app, oc_auditor;

-- Proves that the database takes writes and commits them: writes a row and removes it. For readiness checks. It touches no head, so
-- that it neither waits for an append nor holds one up, and no row of anybody else's.
CREATE TABLE oc_work.probe (id uuid PRIMARY KEY);
CREATE FUNCTION oc_probe() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  INSERT INTO oc_work.probe (id) VALUES (gen_random_uuid());
  DELETE FROM oc_work.probe;
END;
REVOKE ALL ON FUNCTION oc_probe() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_probe() TO oc_app;
