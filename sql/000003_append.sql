-- The only doors through which a ledger grows. Both run as oc_owner; oc_app may only call them.

SET LOCAL ROLE oc_owner;

-- The text of an entry, format 1 (docs: src/facts/FORMAT.md). The one place where the database writes it.
CREATE FUNCTION oc_entry_text(body text, middle text, prev_hash bytea, tail text, seq bigint) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '{"body":' || body || middle || encode(prev_hash, 'hex') || tail || seq::text || '","v":1}';

-- What becomes columns of a draft, and what it moves, still as JSON.
CREATE TYPE oc_draft AS (
  ordinal integer, id uuid, type text, actor_id text, on_behalf_of_id text, session_id uuid, action_id uuid, platform text,
  tool text, effect text, chain uuid, source_chain uuid, conversation text, states jsonb
);

-- A thing that a draft depends on, or moves: `state` is then what it becomes. `version` is the one it must have before that.
CREATE TYPE oc_touch AS (ordinal integer, kind text, id text, version integer, state jsonb);

-- oc_ledger_append(ledger, bodies, payloads, conditions, after, call)
--
-- bodies:     the body of one draft a line, as RFC 8785 text, which never holds a raw control character.
-- payloads:   its payload, as RFC 8785 text, or an empty line. Empty altogether: no draft has one.
-- conditions: what must hold for drafts (by their ordinals, from 1) to be recorded, or empty:
--             {"deadlines": [{"notAfter", "drafts"}], "dependencies": [{"kind", "id", "version", "drafts"}]}
-- after:      given on a retry after a commit of unknown outcome. Drafts whose id was recorded behind this position are
--             reported as what they became and are not written again.
-- call:       names a call that may have to be repeated; the retry names the same. The first call may still be under way
--             then, waiting for the head lock or to be read by the server: once a retry was there, it fails as a whole.
--
-- Drafts are judged and applied in order, under the head lock, each as if it came alone. Returns a row a draft, in any order:
-- its ordinal (from 1), position, hash, time and predecessor, or why it alone was refused, with nothing of it written:
--   LATE      its notAfter has passed
--   <KIND>    a thing of this kind has another version than the draft depends on or moves on from, or has expired; of several,
--             one that it depends on before one that it moves, then by name
-- A thing that does not exist has version 0. A malformed draft fails the whole call (the caller finds it by bisection);
-- nothing of the call is then written.
CREATE FUNCTION oc_ledger_append(p_ledger text, p_bodies text, p_payloads text DEFAULT '', p_conditions text DEFAULT '',
                                 p_after bigint DEFAULT NULL, p_call uuid DEFAULT NULL)
RETURNS TABLE (ordinal integer, refusal text, seq bigint, hash bytea, recorded_at timestamptz, prev_hash bytea)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
-- Cached plans are made while tables are small; these keep them on the indexes when they are not.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  head        record;
  each        record;
  moment      timestamptz;
  middle      text;
  tail        text;
  last_seq    bigint;
  last_hash   bytea;
  well_formed boolean;
  conditions  jsonb := nullif(p_conditions, '');
  bodies      text[] := string_to_array(p_bodies, E'\n');
  payloads    text[] := string_to_array(p_payloads, E'\n');
  size        integer := cardinality(bodies);
  drafts      oc_draft[];
  touches     oc_touch[];
  -- By ordinal: why a draft is refused, or what it becomes.
  refusals    text[];
  texts       text[];
  seqs        bigint[];
  hashes      bytea[];
  prev_hashes bytea[];
  -- Drafts are judged, and their states written, a run at a time: none of a run touches what another one before it moves.
  -- Most batches are one run.
  starts      integer[] := '{1}';
  first       integer;
  last        integer;
  of_run      oc_touch[];
  next_touch  integer := 1;
  made        integer;
  moved       integer;
  updated     integer;
  written     integer;
BEGIN
  SELECT h.seq, h.hash, h.recorded_at, h.superseded INTO head
    FROM oc_ledger_head h WHERE h.ledger = p_ledger FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'ledger % does not exist', p_ledger USING ERRCODE = 'OC001';
  END IF;
  IF p_after IS NULL AND p_call = ANY (head.superseded) THEN
    RAISE EXCEPTION 'call % was repeated before it came to this', p_call USING ERRCODE = 'OC005';
  END IF;
  -- JSON itself refuses control characters within strings; between tokens it would let a carriage return stand.
  IF strpos(p_bodies, E'\r') > 0 OR strpos(p_payloads, E'\r') > 0 THEN
    RAISE EXCEPTION 'a draft holds a raw control character' USING ERRCODE = 'OC003';
  END IF;
  moment := greatest(clock_timestamp(), head.recorded_at);
  middle := ',"ledger":"' || p_ledger || '","prevHash":"';
  tail := '","recordedAt":"' || to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","seq":"';
  last_seq := head.seq;
  last_hash := head.hash;

  SELECT array_agg(ROW(t.n, b.id, b.type, b.actor ->> 'id', b."onBehalfOf" ->> 'id', b.session, b.action, b.platform, b.tool,
                       b.effect, b.chain, b."sourceChain", coalesce(b.conversation, ''), b.states)::oc_draft),
         bool_and(t.body IS JSON OBJECT WITH UNIQUE KEYS AND (b.states IS NULL OR jsonb_typeof(b.states) = 'array'))
    INTO drafts, well_formed
    FROM unnest(bodies) WITH ORDINALITY AS t(body, n)
   CROSS JOIN LATERAL jsonb_to_record(t.body::jsonb) AS b(id uuid, type text, actor jsonb, "onBehalfOf" jsonb, session uuid,
           action uuid, states jsonb, platform text, tool text, effect text, chain uuid, "sourceChain" uuid,
           conversation text);
  IF well_formed IS NOT TRUE OR p_payloads <> '' AND cardinality(payloads) <> size THEN
    RAISE EXCEPTION 'there is at least one draft; the body of each is a JSON object with unique keys and its states are a list; payloads, if any, are as many'
      USING ERRCODE = 'OC003';
  END IF;
  IF jsonb_typeof(conditions) <> 'object' OR conditions - 'deadlines' - 'dependencies' <> '{}' THEN
    RAISE EXCEPTION 'conditions are deadlines and dependencies' USING ERRCODE = 'OC003';
  END IF;
  refusals[size] := NULL;
  FOR each IN
    SELECT n::integer AS ordinal, d.deadline ->> 'notAfter' AS not_after
      FROM jsonb_array_elements(conditions -> 'deadlines') AS d(deadline)
      LEFT JOIN LATERAL jsonb_array_elements(d.deadline -> 'drafts') AS n ON true
     WHERE ((d.deadline ->> 'notAfter')::timestamptz > moment AND n::integer BETWEEN 1 AND size) IS NOT TRUE
  LOOP
    IF (each.ordinal BETWEEN 1 AND size AND each.not_after IS NOT NULL) IS NOT TRUE THEN
      RAISE EXCEPTION 'a deadline has an instant and the ordinals of its drafts' USING ERRCODE = 'OC003';
    END IF;
    refusals[each.ordinal] := 'LATE';
  END LOOP;
  IF p_after IS NOT NULL THEN
    -- Retries of the recent past are enough: nothing is under way for longer than connections live that broke.
    UPDATE oc_ledger_head h SET superseded = (p_call || h.superseded)[:32]
     WHERE h.ledger = p_ledger AND p_call IS NOT NULL AND p_call <> ALL (h.superseded);
    -- One walk for all drafts: others may have recorded much behind this position.
    FOR each IN
      SELECT d.ordinal, e.seq, e.hash, e.recorded_at, e.prev_hash
        FROM oc_audit_log e JOIN unnest(drafts) d ON d.id = e.id
       WHERE e.ledger = p_ledger AND e.seq > p_after AND e.id = ANY (ARRAY(SELECT x.id FROM unnest(drafts) x))
    LOOP
      refusals[each.ordinal] := 'recorded';
      RETURN QUERY SELECT each.ordinal, NULL::text, each.seq, each.hash, each.recorded_at, each.prev_hash;
    END LOOP;
  END IF;

  SELECT array_agg(ROW(t.ordinal, t.thing ->> 'kind', t.thing ->> 'id', (t.thing ->> 'version')::integer - t.step,
                       t.state)::oc_touch ORDER BY t.ordinal, t.step, t.thing ->> 'kind'),
         bool_and((jsonb_typeof(t.thing -> 'kind') = 'string' AND jsonb_typeof(t.thing -> 'id') = 'string'
                   AND jsonb_typeof(t.thing -> 'version') = 'number' AND t.ordinal BETWEEN 1 AND size
                   AND (t.step = 0 OR jsonb_typeof(t.state) = 'object')) IS TRUE)
    INTO touches, well_formed
    FROM (SELECT n::integer AS ordinal, r.thing, 0 AS step, NULL::jsonb AS state
            FROM jsonb_array_elements(conditions -> 'dependencies') AS r(thing)
            LEFT JOIN LATERAL jsonb_array_elements(r.thing -> 'drafts') AS n ON true
           UNION ALL
          SELECT d.ordinal, m.thing, 1, m.thing -> 'state'
            FROM unnest(drafts) d, jsonb_array_elements(d.states) AS m(thing)) t;
  IF NOT well_formed THEN
    RAISE EXCEPTION 'a state has kind, id, version and state; what drafts depend on has kind, id, version and the ordinals of the drafts'
      USING ERRCODE = 'OC003';
  END IF;
  IF EXISTS (SELECT FROM unnest(touches) t GROUP BY t.kind, t.id
              HAVING min(t.ordinal) < max(t.ordinal) AND bool_or(t.state IS NOT NULL)) THEN
    FOR each IN
      SELECT b.ordinal, max(b.behind) AS behind
        FROM (SELECT t.ordinal, max(t.ordinal) FILTER (WHERE t.state IS NOT NULL) OVER (
                       PARTITION BY t.kind, t.id ORDER BY t.ordinal RANGE UNBOUNDED PRECEDING EXCLUDE GROUP) AS behind
                FROM unnest(touches) t) b
       WHERE b.behind IS NOT NULL
       GROUP BY b.ordinal
       ORDER BY b.ordinal
    LOOP
      IF each.behind >= starts[cardinality(starts)] THEN
        starts := starts || each.ordinal;
      END IF;
    END LOOP;
  END IF;

  FOR run IN 1 .. cardinality(starts) LOOP
    first := starts[run];
    last := coalesce(starts[run + 1] - 1, size);
    of_run := touches;
    IF cardinality(starts) > 1 THEN
      of_run := ARRAY(SELECT t FROM unnest(touches[next_touch:]) t WHERE t.ordinal <= last);
      next_touch := next_touch + cardinality(of_run);
    END IF;
    IF of_run IS NOT NULL THEN
      -- LIMIT, here and in the update: each thing is looked up by itself. A join that is planned while the table is small
      -- reads all of it later.
      FOR each IN
        SELECT t.ordinal, t.kind
          FROM unnest(of_run) t
          LEFT JOIN LATERAL (SELECT s.version, s.expires_at FROM oc_state s
                              WHERE s.ledger = p_ledger AND s.kind = t.kind AND s.id = t.id LIMIT 1) s ON true
         WHERE coalesce(s.version, 0) <> t.version OR (t.state IS NULL AND s.expires_at <= moment)
      LOOP
        -- As oc_state has it: what is told of a refusal is nothing else.
        IF each.kind !~ '^[A-Z][A-Z_]{0,39}$' OR each.kind = 'LATE' THEN
          RAISE EXCEPTION 'a thing has a kind in capitals, which is not LATE' USING ERRCODE = 'OC003';
        END IF;
        refusals[each.ordinal] := coalesce(refusals[each.ordinal], each.kind);
      END LOOP;
    END IF;

    FOR i IN first .. last LOOP
      IF refusals[i] IS NULL THEN
        last_seq := last_seq + 1;
        seqs[i] := last_seq;
        prev_hashes[i] := last_hash;
        texts[i] := oc_entry_text(bodies[i], middle, last_hash, tail, last_seq);
        last_hash := sha256(convert_to(texts[i], 'UTF8'));
        hashes[i] := last_hash;
      END IF;
    END LOOP;

    SELECT count(*) FILTER (WHERE t.version = 0), count(*) FILTER (WHERE t.version > 0) INTO made, moved
      FROM unnest(of_run) t WHERE t.state IS NOT NULL AND refusals[t.ordinal] IS NULL;
    written := 0;
    IF made > 0 THEN
      INSERT INTO oc_state (ledger, kind, id, version, state, status, expires_at, actor_id, on_behalf_of_id, conversation,
                            first_seq, updated_seq, entries, hash)
      SELECT p_ledger, t.kind, t.id, 1, t.state, t.state ->> 'status', (t.state ->> 'expiresAt')::timestamptz,
             drafts[t.ordinal].actor_id, drafts[t.ordinal].on_behalf_of_id, drafts[t.ordinal].conversation,
             seqs[t.ordinal], seqs[t.ordinal], ARRAY[seqs[t.ordinal]], hashes[t.ordinal]
        FROM unnest(of_run) t
       WHERE t.state IS NOT NULL AND t.version = 0 AND refusals[t.ordinal] IS NULL
      ON CONFLICT DO NOTHING;
      GET DIAGNOSTICS written = ROW_COUNT;
    END IF;
    IF moved > 0 THEN
      UPDATE oc_state s
         SET version = s.version + 1, state = t.state, status = t.state ->> 'status',
             expires_at = (t.state ->> 'expiresAt')::timestamptz, updated_seq = seqs[t.ordinal],
             entries = s.entries || seqs[t.ordinal], hash = hashes[t.ordinal]
        FROM (SELECT t.ordinal, t.state, (SELECT x.ctid FROM oc_state x
                                           WHERE x.ledger = p_ledger AND x.kind = t.kind AND x.id = t.id LIMIT 1) AS place
                FROM unnest(of_run) t
               WHERE t.state IS NOT NULL AND t.version > 0 AND refusals[t.ordinal] IS NULL) t
       WHERE s.ctid = t.place;
      GET DIAGNOSTICS updated = ROW_COUNT;
      written := written + updated;
    END IF;
    IF written <> made + moved THEN
      RAISE EXCEPTION 'an entry moves each thing once' USING ERRCODE = 'OC003';
    END IF;
  END LOOP;

  IF last_seq > head.seq THEN
    -- Its trigger compares the links with the head, and moves the head on.
    INSERT INTO oc_audit_log (ledger, seq, recorded_at, entry, hash, prev_hash, id, type, actor_id, on_behalf_of_id,
                              session_id, action_id, state_version, platform, tool, effect, chain, source_chain)
    SELECT p_ledger, seqs[d.ordinal], moment, texts[d.ordinal], hashes[d.ordinal], prev_hashes[d.ordinal], d.id, d.type,
           d.actor_id, d.on_behalf_of_id, d.session_id, d.action_id, (d.states #>> '{0,version}')::integer, d.platform, d.tool,
           d.effect, d.chain, d.source_chain
      FROM unnest(drafts) d WHERE refusals[d.ordinal] IS NULL;
    INSERT INTO oc_audit_payload (ledger, seq, payload, recorded_at)
    SELECT p_ledger, seqs[d.n], d.payload::json, moment
      FROM unnest(payloads) WITH ORDINALITY AS d(payload, n) WHERE refusals[d.n] IS NULL AND d.payload <> '';
  END IF;
  RETURN QUERY
    SELECT d.ordinal, refusals[d.ordinal], seqs[d.ordinal], hashes[d.ordinal],
           CASE WHEN refusals[d.ordinal] IS NULL THEN moment END, prev_hashes[d.ordinal]
      FROM generate_series(1, size) AS d(ordinal) WHERE refusals[d.ordinal] IS DISTINCT FROM 'recorded';
END
$$;

-- What oc_ledger_append returns, as one row: accepted drafts take consecutive positions, and parsing a row a draft costs a client
-- more than the append costs the database. `hashes` are those of the accepted drafts, 64 hex digits each; `refused` has
-- `<ordinal>:<refusal>` of the others, separated by spaces. Null where there are none.
CREATE FUNCTION oc_ledger_append_row(p_ledger text, p_bodies text, p_payloads text, p_conditions text, p_call uuid)
RETURNS TABLE (first_seq bigint, recorded_at timestamptz, prev_hash bytea, hashes text, refused text)
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT min(a.seq), min(a.recorded_at),
           (array_agg(a.prev_hash ORDER BY a.ordinal) FILTER (WHERE a.refusal IS NULL))[1],
           string_agg(encode(a.hash, 'hex'), '' ORDER BY a.ordinal) FILTER (WHERE a.refusal IS NULL),
           string_agg(a.ordinal || ':' || a.refusal, ' ') FILTER (WHERE a.refusal IS NOT NULL)
      FROM oc_ledger_append(p_ledger, p_bodies, p_payloads, p_conditions, NULL, p_call) a;
END
$$;

-- oc_ledger_append for several ledgers in one transaction, which commits what is recorded in all of them with one flush. The
-- arguments are lists of its own, one item a ledger. Returns a row an item, in order: what was recorded, or in `failure` (an
-- SQLSTATE) and `message` why nothing of this item was, while the others are. 55P03: the head is locked by somebody else; nobody
-- waits for it here. What fails for want of room, or because the server is going down, fails the whole call.
CREATE FUNCTION oc_ledger_append_each(p_ledgers text[], p_bodies text[], p_payloads text[], p_conditions text[], p_calls uuid[])
RETURNS TABLE (failure text, message text, first_seq bigint, recorded_at timestamptz, prev_hash bytea, hashes text, refused text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  FOR i IN 1 .. cardinality(p_ledgers) LOOP
    BEGIN
      PERFORM FROM oc_ledger_head h WHERE h.ledger = p_ledgers[i] FOR NO KEY UPDATE NOWAIT;
      RETURN QUERY
        SELECT NULL::text, NULL::text, r.*
          FROM oc_ledger_append_row(p_ledgers[i], p_bodies[i], p_payloads[i], p_conditions[i], p_calls[i]) r;
    EXCEPTION WHEN OTHERS THEN
      IF left(SQLSTATE, 2) IN ('53', '57', '58', 'XX') THEN
        RAISE;
      END IF;
      RETURN QUERY SELECT SQLSTATE, SQLERRM, NULL::bigint, NULL::timestamptz, NULL::bytea, NULL::text, NULL::text;
    END;
  END LOOP;
END
$$;

-- Creates a ledger with its first entry, LEDGER_CREATED; an existing ledger is left as it is. Returns the head.
CREATE FUNCTION oc_ledger_create(p_ledger text, p_body text)
RETURNS TABLE (created boolean, seq bigint, hash bytea)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  genesis constant bytea := decode(repeat('00', 32), 'hex');
BEGIN
  IF p_body::jsonb ->> 'type' IS DISTINCT FROM 'LEDGER_CREATED' THEN
    RAISE EXCEPTION 'the first entry of a ledger is LEDGER_CREATED' USING ERRCODE = 'OC002';
  END IF;
  INSERT INTO oc_ledger_head (ledger, seq, hash, recorded_at)
  VALUES (p_ledger, 0, genesis, '-infinity') ON CONFLICT DO NOTHING;
  IF FOUND THEN
    IF (SELECT a.refusal FROM oc_ledger_append(p_ledger, p_body) a LIMIT 1) IS NOT NULL THEN
      RAISE EXCEPTION 'the first entry of a ledger depends on nothing before it' USING ERRCODE = 'OC002';
    END IF;
    RETURN QUERY SELECT true, h.seq, h.hash FROM oc_ledger_head h WHERE h.ledger = p_ledger;
  ELSE
    RETURN QUERY SELECT false, h.seq, h.hash FROM oc_ledger_head h WHERE h.ledger = p_ledger;
  END IF;
END
$$;

-- Proves that the database takes writes and commits them: writes a row and removes it. For readiness checks. It touches no head, so
-- that it neither waits for an append nor holds one up, and no row of anybody else's.
CREATE TABLE oc_work.probe (id uuid PRIMARY KEY);
CREATE FUNCTION oc_probe() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  INSERT INTO oc_work.probe (id) VALUES (gen_random_uuid());
  DELETE FROM oc_work.probe;
END;

REVOKE ALL ON FUNCTION oc_ledger_append(text, text, text, text, bigint, uuid),
  oc_ledger_append_row(text, text, text, text, uuid), oc_ledger_append_each(text[], text[], text[], text[], uuid[]),
  oc_ledger_create(text, text), oc_probe(), oc_entry_text(text, text, bytea, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_ledger_append(text, text, text, text, bigint, uuid),
  oc_ledger_append_row(text, text, text, text, uuid), oc_ledger_append_each(text[], text[], text[], text[], uuid[]),
  oc_ledger_create(text, text), oc_probe() TO oc_app;
-- Pure and harmless: anybody who verifies may write an entry's text the way the ledger does.
GRANT EXECUTE ON FUNCTION oc_entry_text(text, text, bytea, text, bigint) TO oc_app, oc_auditor;
