-- The only doors through which a ledger grows. Both run as oc_owner; oc_app may only call them.

SET LOCAL ROLE oc_owner;

-- The text of an entry, format 1 (docs: src/facts/FORMAT.md). The one place where the database writes it.
CREATE FUNCTION oc_entry_text(body text, middle text, prev_hash bytea, tail text, seq bigint) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '{"body":' || body || middle || encode(prev_hash, 'hex') || tail || seq::text || '","v":1}';

-- An entry about to be inserted.
CREATE TYPE oc_new_entry AS (
  seq bigint, entry text, hash bytea, prev_hash bytea, payload text, id uuid, type text, actor_id text, on_behalf_of_id text,
  session_id uuid, action_id uuid, state_version integer, platform text, tool text, effect text, chain uuid, source_chain uuid
);

-- oc_ledger_append(ledger, bodies, payloads, conditions, after)
--
-- bodies:     the body of one draft a line, as RFC 8785 text, which never holds a raw control character.
-- payloads:   its payload, as RFC 8785 text, or an empty line. Empty altogether: no draft has one.
-- conditions: what must hold for it to be recorded, {"notAfter"?, "rests"?: [{"kind", "id", "version"}]}, or an empty line.
--             Empty altogether: no draft has any.
-- after:      given on a retry after a commit of unknown outcome. Drafts whose id was recorded behind this position are
--             reported as what they became and are not written again.
--
-- Drafts are judged and applied in order, under the head lock, each as if it came alone. Returns a row a draft, in order:
-- its position, hash, time and predecessor, or why it alone was refused, with nothing of it written:
--   LATE      its notAfter has passed
--   <KIND>    a thing of this kind has another version than the draft rests on or moves on from, or has expired
-- A thing that does not exist has version 0. A malformed draft fails the whole call (the caller finds it by bisection);
-- nothing of the call is then written.
CREATE FUNCTION oc_ledger_append(p_ledger text, p_bodies text, p_payloads text DEFAULT '', p_conditions text DEFAULT '',
                                 p_after bigint DEFAULT NULL)
RETURNS TABLE (ordinal integer, refusal text, seq bigint, hash bytea, recorded_at timestamptz, prev_hash bytea)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
-- Cached plans are made while tables are small; these keep them on the indexes when they are not.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  head       record;
  draft      record;
  conditions jsonb;
  moved      jsonb;
  moves      integer;
  refused    text;
  moment     timestamptz;
  middle     text;
  tail       text;
  last_seq   bigint;
  last_hash  bytea;
  text_of    text;
  hash_of    bytea;
  written    oc_new_entry[] := '{}';
  count_of   integer := 0;
BEGIN
  SELECT h.seq, h.hash, h.recorded_at INTO head
    FROM oc_ledger_head h WHERE h.ledger = p_ledger FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'ledger % does not exist', p_ledger USING ERRCODE = 'OC001';
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

  FOR draft IN
    SELECT l.n::integer AS n, l.body, l.payload, l.condition, b.id, b.type, b.actor ->> 'id' AS actor_id,
           b."onBehalfOf" ->> 'id' AS on_behalf_of_id, b.session, b.action, b.states, b.platform, b.tool, b.effect, b.chain,
           b."sourceChain" AS source_chain, coalesce(b.conversation, '') AS conversation,
           l.body IS JSON OBJECT WITH UNIQUE KEYS AND (l.payload IS NOT NULL OR p_payloads = '')
             AND (l.condition IS NOT NULL OR p_conditions = '') AS well_formed
      FROM ROWS FROM (string_to_table(p_bodies, E'\n'), string_to_table(p_payloads, E'\n'),
                      string_to_table(p_conditions, E'\n')) WITH ORDINALITY AS l(body, payload, condition, n)
      LEFT JOIN LATERAL jsonb_to_record(l.body::jsonb) AS b(id uuid, type text, actor jsonb, "onBehalfOf" jsonb, session uuid,
             action uuid, states jsonb, platform text, tool text, effect text, chain uuid, "sourceChain" uuid,
             conversation text) ON true
     ORDER BY l.n
  LOOP
    IF draft.well_formed IS NOT TRUE THEN
      RAISE EXCEPTION 'every draft has a body that is a JSON object with unique keys; payloads and conditions, if any, are as many'
        USING ERRCODE = 'OC003';
    END IF;
    IF p_after IS NOT NULL THEN
      RETURN QUERY SELECT draft.n, NULL::text, e.seq, e.hash, e.recorded_at, e.prev_hash
                     FROM oc_audit_log e WHERE e.ledger = p_ledger AND e.seq > p_after AND e.id = draft.id LIMIT 1;
      CONTINUE WHEN FOUND;
    END IF;

    refused := NULL;
    IF draft.condition <> '' THEN
      conditions := draft.condition::jsonb;
      IF (conditions ->> 'notAfter')::timestamptz <= moment THEN
        refused := 'LATE';
      ELSIF conditions ? 'rests' THEN
        -- LIMIT: each thing is looked up by itself. A join that is planned while the table is small reads all of it later.
        SELECT r.kind INTO refused
          FROM jsonb_to_recordset(conditions -> 'rests') AS r(kind text, id text, version integer)
          LEFT JOIN LATERAL (SELECT s.version, s.expires_at FROM oc_state s
                              WHERE s.ledger = p_ledger AND s.kind = r.kind AND s.id = r.id LIMIT 1) s ON true
         WHERE coalesce(s.version, 0) IS DISTINCT FROM r.version OR s.expires_at <= moment
         LIMIT 1;
        IF FOUND AND refused IS NULL THEN
          RAISE EXCEPTION 'a draft rests on a kind, an id and a version' USING ERRCODE = 'OC003';
        END IF;
      END IF;
    END IF;
    IF jsonb_typeof(draft.states) <> 'array' THEN
      RAISE EXCEPTION 'states is a list' USING ERRCODE = 'OC003';
    END IF;
    moves := coalesce(jsonb_array_length(draft.states), 0);
    IF refused IS NULL AND moves > 1 THEN
      -- All of them or none: what one of them could not move must not be moved by the others.
      SELECT m.kind INTO refused
        FROM jsonb_to_recordset(draft.states) AS m(kind text, id text, version integer)
        LEFT JOIN LATERAL (SELECT s.version FROM oc_state s
                            WHERE s.ledger = p_ledger AND s.kind = m.kind AND s.id = m.id LIMIT 1) s ON true
       WHERE m.version IS DISTINCT FROM coalesce(s.version, 0) + 1
       LIMIT 1;
    END IF;

    IF refused IS NULL THEN
      text_of := oc_entry_text(draft.body, middle, last_hash, tail, last_seq + 1);
      hash_of := sha256(convert_to(text_of, 'UTF8'));
      FOR i IN 0 .. moves - 1 LOOP
        moved := draft.states -> i;
        IF (jsonb_typeof(moved -> 'kind') = 'string' AND jsonb_typeof(moved -> 'id') = 'string'
            AND jsonb_typeof(moved -> 'version') = 'number') IS NOT TRUE THEN
          RAISE EXCEPTION 'a state has kind, id, version and state' USING ERRCODE = 'OC003';
        END IF;
        IF moved -> 'version' = '1' THEN
          INSERT INTO oc_state (ledger, kind, id, version, state, status, expires_at, actor_id, on_behalf_of_id, conversation,
                                first_seq, updated_seq, entries, hash)
          VALUES (p_ledger, moved ->> 'kind', moved ->> 'id', 1, moved -> 'state', moved #>> '{state,status}',
                  (moved #>> '{state,expiresAt}')::timestamptz, draft.actor_id, draft.on_behalf_of_id, draft.conversation,
                  last_seq + 1, last_seq + 1, ARRAY[last_seq + 1], hash_of)
          ON CONFLICT DO NOTHING;
        ELSE
          UPDATE oc_state s
             SET version = s.version + 1, state = moved -> 'state', status = moved #>> '{state,status}',
                 expires_at = (moved #>> '{state,expiresAt}')::timestamptz, updated_seq = last_seq + 1,
                 entries = s.entries || (last_seq + 1), hash = hash_of
           WHERE s.ledger = p_ledger AND s.kind = moved ->> 'kind' AND s.id = moved ->> 'id'
             AND s.version = (moved ->> 'version')::integer - 1;
        END IF;
        IF NOT FOUND THEN
          IF moves > 1 THEN
            RAISE EXCEPTION 'an entry moves each thing once' USING ERRCODE = 'OC003';
          END IF;
          refused := moved ->> 'kind';
        END IF;
      END LOOP;
    END IF;

    ordinal := draft.n;
    refusal := refused;
    IF refused IS NULL THEN
      count_of := count_of + 1;
      written[count_of] := ROW(last_seq + 1, text_of, hash_of, last_hash, draft.payload, draft.id, draft.type, draft.actor_id,
                               draft.on_behalf_of_id, draft.session, draft.action, (draft.states #>> '{0,version}')::integer,
                               draft.platform, draft.tool, draft.effect, draft.chain, draft.source_chain)::oc_new_entry;
      seq := last_seq + 1;
      hash := hash_of;
      recorded_at := moment;
      prev_hash := last_hash;
      last_seq := last_seq + 1;
      last_hash := hash_of;
    ELSE
      seq := NULL;
      hash := NULL;
      recorded_at := NULL;
      prev_hash := NULL;
    END IF;
    RETURN NEXT;
  END LOOP;

  IF NOT FOUND THEN
    RAISE EXCEPTION 'a call has at least one draft' USING ERRCODE = 'OC003';
  END IF;
  IF count_of = 0 THEN
    RETURN;
  END IF;
  INSERT INTO oc_audit_log (ledger, seq, recorded_at, entry, hash, prev_hash, id, type, actor_id, on_behalf_of_id, session_id,
                            action_id, state_version, platform, tool, effect, chain, source_chain)
  SELECT p_ledger, w.seq, moment, w.entry, w.hash, w.prev_hash, w.id, w.type, w.actor_id, w.on_behalf_of_id, w.session_id,
         w.action_id, w.state_version, w.platform, w.tool, w.effect, w.chain, w.source_chain
    FROM unnest(written) w;
  INSERT INTO oc_audit_payload (ledger, seq, payload)
  SELECT p_ledger, w.seq, w.payload::json FROM unnest(written) w WHERE w.payload <> '';
  UPDATE oc_ledger_head h SET seq = last_seq, hash = last_hash, recorded_at = moment WHERE h.ledger = p_ledger;
  PERFORM pg_notify('oc_ledger', p_ledger || ' ' || last_seq);
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
      RAISE EXCEPTION 'the first entry of a ledger rests on nothing before it' USING ERRCODE = 'OC002';
    END IF;
    RETURN QUERY SELECT true, h.seq, h.hash FROM oc_ledger_head h WHERE h.ledger = p_ledger;
  ELSE
    RETURN QUERY SELECT false, h.seq, h.hash FROM oc_ledger_head h WHERE h.ledger = p_ledger;
  END IF;
END
$$;

-- Proves that an append would go through (lock, write, room for WAL) without recording anything. For readiness checks.
CREATE FUNCTION oc_ledger_probe(p_ledger text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '2s'
AS $$
BEGIN
  UPDATE oc_ledger_head h SET seq = h.seq WHERE h.ledger = p_ledger;
  RETURN FOUND;
END
$$;

REVOKE ALL ON FUNCTION oc_ledger_append(text, text, text, text, bigint), oc_ledger_create(text, text), oc_ledger_probe(text),
  oc_entry_text(text, text, bytea, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_ledger_append(text, text, text, text, bigint), oc_ledger_create(text, text), oc_ledger_probe(text)
  TO oc_app;
-- Pure and harmless: anybody who verifies may write an entry's text the way the ledger does.
GRANT EXECUTE ON FUNCTION oc_entry_text(text, text, bytea, text, bigint) TO oc_app, oc_auditor;
