-- The only doors through which a ledger grows. Both run as oc_owner; oc_app may only call them.

SET LOCAL ROLE oc_owner;

-- The text of an entry, format 1 (docs: src/facts/FORMAT.md). The one place where the database writes it.
CREATE FUNCTION oc_entry_text(body text, middle text, prev_hash bytea, tail text, seq bigint) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '{"body":' || body || middle || encode(prev_hash, 'hex') || tail || seq::text || '","v":1}';

-- One step of the chain, as the transition of an aggregate, so that hashing a batch is one pass over its rows.
CREATE FUNCTION oc_chain_step(prev bytea, head bytea, body text, middle text, tail text, seq bigint) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
  RETURN sha256(convert_to('{"body":' || body || middle || encode(coalesce(prev, head), 'hex') || tail || seq::text || '","v":1}',
                           'UTF8'));
END
$$;
CREATE AGGREGATE oc_chain_hash(head bytea, body text, middle text, tail text, seq bigint) (
  sfunc = oc_chain_step, stype = bytea
);

-- oc_ledger_append(ledger, bodies, payloads, deadlines, after)
--
-- bodies:    the body of one draft a line, as RFC 8785 text, which never holds a raw control character.
-- payloads:  its payload, as RFC 8785 text, or an empty line. Empty altogether: no draft has one.
-- deadlines: the instant at which it is too late to record it, or an empty line. Empty altogether: no draft has one.
-- (Three texts, because taking fields out of one line each costs a tenth of an append.)
-- after:     given on a retry after a commit of unknown outcome. Drafts whose id was recorded behind this position are
--         answered with what they became and are not written again.
-- Answers one row a draft, in order: its position, hash, time and predecessor, or why it alone was refused:
--   VERSION  the action, session or thing of the directory has moved on: `body.action.version`, `body.sessionVersion` or
--            `body.directory.version` is not the next one
--   CHAIN    the principal's routing chain has moved on
--   SESSION  `body.session`, which the draft neither starts nor ends, is not open: unknown, ended or expired
--   LATE     its instant has passed: a deadline that held when the caller decided need not hold under the head lock
-- A malformed draft fails the whole call (the caller finds it by bisection); nothing of the call is then written.
CREATE FUNCTION oc_ledger_append(p_ledger text, p_bodies text, p_payloads text DEFAULT '',
                                 p_deadlines text DEFAULT '', p_after bigint DEFAULT NULL)
RETURNS TABLE (ordinal integer, refusal text, seq bigint, hash bytea, recorded_at timestamptz, prev_hash bytea)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
-- Cached plans are made while tables are small; these keep them on the indexes when they are not.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  head    record;
  draft   record;
  refused record;
  last    record;
  -- Where each draft stands already, on a retry.
  recorded bigint[];
  -- Which drafts' thing of the directory has moved on; null when no draft has one.
  outdated boolean[];
  -- A lone draft's session: its version, and whether it is open.
  session_at   integer;
  session_open boolean;
  moment  timestamptz;
  middle  text;
  tail    text;
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

  -- Every draft is parsed once, into columns. What follows works on the columns.
  SELECT array_agg(l.n) AS n, array_agg(l.body) AS body, array_agg(l.payload) AS payload, array_agg(l.not_after) AS not_after, array_agg(b.id) AS id,
         array_agg(b.type) AS type, array_agg(b.actor ->> 'id') AS actor_id,
         array_agg(b."onBehalfOf" ->> 'id') AS on_behalf_of_id, array_agg(b.session) AS session_id,
         array_agg(b."sessionVersion") AS session_version,
         array_agg((b.action ->> 'id')::uuid) AS action_id, array_agg((b.action ->> 'version')::integer) AS action_version,
         array_agg(b.action) AS action, array_agg(b.platform) AS platform, array_agg(b.tool) AS tool,
         array_agg(b.effect) AS effect, array_agg(b.chain) AS chain, array_agg(b."chainNumber") AS chain_number,
         array_agg(coalesce(b.conversation, '')) AS conversation, array_agg(b."sourceChain") AS source_chain,
         array_agg(b."sessionExpiresAt") AS session_expires_at, array_agg(b.directory) AS directory,
         bool_and(l.body IS JSON OBJECT WITH UNIQUE KEYS) AS well_formed,
         bool_and(l.paired) AS paired
    INTO draft
    FROM (SELECT n::integer AS n, body, coalesce(payload, '') AS payload, nullif(deadline, '')::timestamptz AS not_after,
                 body IS NOT NULL AND (payload IS NOT NULL OR p_payloads = '')
                   AND (deadline IS NOT NULL OR p_deadlines = '') AS paired
            FROM ROWS FROM (string_to_table(p_bodies, E'\n'), string_to_table(p_payloads, E'\n'),
                            string_to_table(p_deadlines, E'\n')) WITH ORDINALITY AS t(body, payload, deadline, n)) l
         LEFT JOIN LATERAL jsonb_to_record(l.body::jsonb) AS b(id uuid, type text, actor jsonb, "onBehalfOf" jsonb, session uuid,
           "sessionVersion" integer, action jsonb, platform text, tool text, effect text, chain uuid,
           "chainNumber" integer, conversation text, "sourceChain" uuid, "sessionExpiresAt" timestamptz,
           directory jsonb) ON true;

  IF draft.well_formed IS NOT TRUE OR NOT draft.paired THEN
    RAISE EXCEPTION 'every draft has a body that is a JSON object with unique keys; payloads and deadlines, if any, are as many'
      USING ERRCODE = 'OC003';
  END IF;

  -- Decided under the head lock, so nothing it rests on can move. Of two drafts of one batch that want the same
  -- version, or that start different chains, the first wins.
  IF array_remove(draft.directory, NULL) <> '{}' THEN
    IF EXISTS (SELECT FROM unnest(draft.directory) AS s(said)
                WHERE s.said IS NOT NULL
                  AND (s.said ->> 'kind' ~ '^[A-Z][A-Z_]{0,39}$' AND jsonb_typeof(s.said -> 'id') = 'string'
                       AND length(s.said ->> 'id') BETWEEN 1 AND 400 AND jsonb_typeof(s.said -> 'version') = 'number'
                       AND jsonb_typeof(s.said -> 'state') = 'object') IS NOT TRUE) THEN
      RAISE EXCEPTION 'a directory member has a kind in capitals, an id of 1 to 400 characters, a version and a state'
        USING ERRCODE = 'OC003';
    END IF;
    -- Here and for sessions, whose tables have a second index that begins with the ledger, the id is a range and orders:
    -- only the primary key has that order, so a plan made while the table is small, and kept, cannot come to use the other.
    SELECT array_agg(d.said IS NOT NULL
                     AND (d.version <> 1 + coalesce((SELECT x.version FROM oc_directory x
                                                      WHERE x.ledger = p_ledger AND x.kind = d.kind
                                                        AND x.id >= d.id AND x.id <= d.id ORDER BY x.id LIMIT 1), 0)
                          OR d.nth > 1) ORDER BY d.o)
      INTO outdated
      FROM (SELECT s.said, s.o, s.said ->> 'kind' AS kind, s.said ->> 'id' AS id, (s.said ->> 'version')::integer AS version,
                   row_number() OVER (PARTITION BY s.said ->> 'kind', s.said ->> 'id', s.said -> 'version' ORDER BY s.o) AS nth
              FROM unnest(draft.directory) WITH ORDINALITY AS s(said, o)) d;
  END IF;
  IF cardinality(draft.n) = 1 AND p_after IS NULL THEN
    -- The same for a lone draft, for which the general statement would be most of the work.
    IF draft.session_id[1] IS NOT NULL THEN
      -- Without a condition on `ended`, which an index of open sessions would serve, but not by the id.
      SELECT x.version, NOT x.ended AND (x.expires_at > moment) IS NOT FALSE INTO session_at, session_open
        FROM oc_session x
       WHERE x.ledger = p_ledger AND x.id >= draft.session_id[1] AND x.id <= draft.session_id[1] ORDER BY x.id LIMIT 1;
    END IF;
    SELECT ARRAY[1] AS n, ARRAY[j.why] AS why, ARRAY[NULL::bigint] AS at INTO refused
      FROM (SELECT CASE
                     WHEN draft.not_after[1] <= moment THEN 'LATE'
                     WHEN draft.action_version[1] <> 1 + coalesce((
                            SELECT x.version FROM oc_action x WHERE x.ledger = p_ledger AND x.id = draft.action_id[1]), 0)
                       OR draft.session_version[1] <> 1 + coalesce(session_at, 0) OR draft.session_version[1] > 2
                       OR outdated[1] THEN 'VERSION'
                     WHEN draft.chain_number[1] IS NOT NULL AND NOT coalesce((
                            SELECT (k.number = draft.chain_number[1] AND k.chain = draft.chain[1])
                                   OR k.number + 1 = draft.chain_number[1]
                              FROM oc_chain k
                             WHERE k.ledger = p_ledger AND k.principal_id = draft.actor_id[1]
                               AND k.on_behalf_of_id = coalesce(draft.on_behalf_of_id[1], '')
                               AND k.conversation = draft.conversation[1]
                             ORDER BY k.number DESC LIMIT 1), draft.chain_number[1] = 1) THEN 'CHAIN'
                     WHEN draft.session_id[1] IS NOT NULL AND draft.session_version[1] IS NULL
                          AND session_open IS NOT TRUE THEN 'SESSION'
                   END AS why) j
     WHERE j.why IS NOT NULL;
  ELSE
    IF p_after IS NOT NULL THEN
      SELECT array_agg((SELECT e.seq FROM oc_audit_log e WHERE e.ledger = p_ledger AND e.seq > p_after AND e.id = d.id
                         LIMIT 1) ORDER BY d.o)
        INTO recorded FROM unnest(draft.id) WITH ORDINALITY AS d(id, o);
    END IF;
    SELECT array_agg(j.n) AS n, array_agg(j.why) AS why, array_agg(j.at) AS at INTO refused
      FROM (SELECT k.n, k.at,
                   -- Open from the draft after the one that starts it up to the one that ends it.
                   CASE WHEN k.why IS NULL AND k.session_id IS NOT NULL AND k.session_version IS NULL
                             AND ((k.session_open
                                   OR k.n > min(k.n) FILTER (WHERE k.session_version = 1 AND k.why IS NULL
                                                               AND (k.session_expires_at > moment) IS NOT FALSE) OVER named)
                                  AND (k.n < min(k.n) FILTER (WHERE k.session_version = 2 AND k.why IS NULL) OVER named)
                                      IS NOT FALSE) IS NOT TRUE
                        THEN 'SESSION' ELSE k.why END AS why
              FROM (SELECT d.n, d.at, d.session_id, d.session_version, d.session_expires_at,
                           NOT s.ended AND (s.expires_at > moment) IS NOT FALSE AS session_open,
                           CASE
                             WHEN d.at IS NOT NULL THEN 'RECORDED'
                             WHEN d.not_after <= moment THEN 'LATE'
                             WHEN d.version IS NOT NULL
                                  AND (d.version <> coalesce(a.version, 0) + 1
                                       OR row_number() OVER (PARTITION BY d.action_id, d.version ORDER BY d.n) > 1) THEN 'VERSION'
                             WHEN d.session_version IS NOT NULL
                                  AND (d.session_version <> coalesce(s.version, 0) + 1 OR d.session_version > 2
                                       OR row_number() OVER (PARTITION BY d.session_id, d.session_version ORDER BY d.n) > 1)
                               THEN 'VERSION'
                             WHEN d.outdated THEN 'VERSION'
                             WHEN d.number IS NOT NULL
                                  AND ((c.number = d.number AND c.chain = d.chain)
                                       OR (d.number = coalesce(c.number, 0) + 1
                                           AND d.chain = first_value(d.chain) OVER (PARTITION BY d.actor_id, d.on_behalf_of_id,
                                                                                    d.conversation, d.number
                                                                                    ORDER BY d.n))) IS NOT TRUE THEN 'CHAIN'
                           END AS why
                      FROM unnest(draft.n, draft.not_after, draft.action_id, draft.action_version, draft.session_id,
                                  draft.session_version, draft.actor_id, draft.on_behalf_of_id, draft.conversation,
                                  draft.chain_number, draft.chain, draft.session_expires_at, outdated, recorded)
                             AS d(n, not_after, action_id, version, session_id, session_version, actor_id, on_behalf_of_id,
                                  conversation, number, chain, session_expires_at, outdated, at)
                      LEFT JOIN LATERAL (SELECT x.version FROM oc_action x WHERE x.ledger = p_ledger AND x.id = d.action_id
                                          LIMIT 1) a ON d.version IS NOT NULL
                      LEFT JOIN LATERAL (SELECT x.version, x.ended, x.expires_at FROM oc_session x
                                          WHERE x.ledger = p_ledger AND x.id >= d.session_id AND x.id <= d.session_id
                                          ORDER BY x.id LIMIT 1) s ON d.session_id IS NOT NULL
                      LEFT JOIN LATERAL (SELECT k.number, k.chain FROM oc_chain k
                                          WHERE k.ledger = p_ledger AND k.principal_id = d.actor_id
                                            AND k.on_behalf_of_id = coalesce(d.on_behalf_of_id, '')
                                            AND k.conversation = d.conversation
                                          ORDER BY k.number DESC LIMIT 1) c ON d.number IS NOT NULL) k
             WINDOW named AS (PARTITION BY k.session_id)) j
     WHERE j.why IS NOT NULL;
  END IF;

  IF refused.n IS NOT NULL THEN
    RETURN QUERY
      SELECT r.n, nullif(r.why, 'RECORDED'), l.seq, l.hash, l.recorded_at, l.prev_hash
        FROM unnest(refused.n, refused.why, refused.at) AS r(n, why, at)
        LEFT JOIN oc_audit_log l ON l.ledger = p_ledger AND l.seq = r.at;
    SELECT array_agg(d.n) AS n, array_agg(d.body) AS body, array_agg(d.payload) AS payload, array_agg(d.id) AS id,
           array_agg(d.type) AS type, array_agg(d.actor_id) AS actor_id, array_agg(d.on_behalf_of_id) AS on_behalf_of_id,
           array_agg(d.session_id) AS session_id, array_agg(d.session_version) AS session_version,
           array_agg(d.action_id) AS action_id, array_agg(d.action_version) AS action_version,
           array_agg(d.action) AS action, array_agg(d.platform) AS platform, array_agg(d.tool) AS tool,
           array_agg(d.effect) AS effect, array_agg(d.chain) AS chain, array_agg(d.chain_number) AS chain_number,
           array_agg(d.conversation) AS conversation, array_agg(d.source_chain) AS source_chain,
           array_agg(d.session_expires_at) AS session_expires_at, array_agg(d.directory) AS directory
      INTO draft
      FROM unnest(draft.n, draft.body, draft.payload, draft.id, draft.type, draft.actor_id, draft.on_behalf_of_id,
                  draft.session_id, draft.session_version, draft.action_id, draft.action_version, draft.action, draft.platform, draft.tool, draft.effect,
                  draft.chain, draft.chain_number, draft.conversation, draft.source_chain, draft.session_expires_at,
                  draft.directory)
             AS d(n, body, payload, id, type, actor_id, on_behalf_of_id, session_id, session_version, action_id, action_version, action, platform, tool,
                  effect, chain, chain_number, conversation, source_chain, session_expires_at, directory)
     WHERE d.n <> ALL (refused.n);
    IF draft.n IS NULL THEN
      RETURN;
    END IF;
  END IF;

  middle := ',"ledger":"' || p_ledger || '","prevHash":"';
  tail := '","recordedAt":"' || to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","seq":"';

  WITH written AS (
    INSERT INTO oc_audit_log (ledger, seq, recorded_at, entry, hash, prev_hash, id, type, actor_id,
                              on_behalf_of_id, session_id, action_id, action_version, platform, tool, effect, chain, source_chain)
    SELECT p_ledger, c.seq, moment, oc_entry_text(c.body, middle, c.prev_hash, tail, c.seq), c.hash, c.prev_hash, c.id,
           c.type, c.actor_id, c.on_behalf_of_id, c.session_id, c.action_id, c.action_version, c.platform, c.tool, c.effect, c.chain,
           c.source_chain
      FROM (SELECT h.*, lag(h.hash, 1, head.hash) OVER (ORDER BY h.seq) AS prev_hash
              FROM (SELECT d.*, head.seq + d.o AS seq,
                           oc_chain_hash(head.hash, d.body, middle, tail, head.seq + d.o) OVER (ORDER BY d.o) AS hash
                      FROM unnest(draft.body, draft.id, draft.type, draft.actor_id, draft.on_behalf_of_id, draft.session_id, draft.action_id,
                                  draft.action_version, draft.platform, draft.tool, draft.effect, draft.chain,
                                  draft.source_chain)
                           WITH ORDINALITY AS d(body, id, type, actor_id, on_behalf_of_id, session_id, action_id, action_version,
                                                platform, tool, effect, chain, source_chain, o)) h) c
    RETURNING oc_audit_log.seq, oc_audit_log.hash
  )
  SELECT array_agg(w.hash ORDER BY w.seq) AS hashes, max(w.seq) AS seq INTO last FROM written w;

  INSERT INTO oc_audit_payload (ledger, seq, payload)
  SELECT p_ledger, head.seq + d.o, d.payload::json
    FROM unnest(draft.payload) WITH ORDINALITY AS d(payload, o) WHERE d.payload <> '';

  IF array_remove(draft.action_version, NULL) <> '{}' THEN
    INSERT INTO oc_action AS a (ledger, id, version, status, agent_id, on_behalf_of_id, approvals, expires_at, grant_id, grant_hash,
                                grant_expires_at, proposed_seq, updated_seq, entries)
    SELECT p_ledger, d.action_id, d.version, s.status, d.actor_id, d.on_behalf_of_id, s.approvals, s."expiresAt",
           (s."grant" ->> 'id')::uuid, decode(s."grant" ->> 'hash', 'hex'), (s."grant" ->> 'expiresAt')::timestamptz,
           head.seq + d.o, head.seq + d.o, ARRAY[head.seq + d.o]
      FROM unnest(draft.action_id, draft.action_version, draft.actor_id, draft.on_behalf_of_id, draft.action)
           WITH ORDINALITY AS d(action_id, version, actor_id, on_behalf_of_id, action, o),
           jsonb_to_record(d.action) AS s(status text, approvals integer, "expiresAt" timestamptz, "grant" jsonb)
     WHERE d.version IS NOT NULL
    ON CONFLICT (ledger, id) DO UPDATE SET
      version = excluded.version, status = excluded.status, approvals = excluded.approvals,
      expires_at = excluded.expires_at, grant_id = excluded.grant_id, grant_hash = excluded.grant_hash,
      grant_expires_at = excluded.grant_expires_at, updated_seq = excluded.updated_seq,
      entries = a.entries || excluded.entries;
  END IF;

  IF array_remove(draft.chain_number, NULL) <> '{}' THEN
    INSERT INTO oc_chain (ledger, principal_id, on_behalf_of_id, conversation, number, chain, platform, started_seq)
    SELECT DISTINCT ON (d.actor_id, d.on_behalf_of_id, d.conversation, d.number)
           p_ledger, d.actor_id, coalesce(d.on_behalf_of_id, ''), d.conversation, d.number, d.chain, d.platform,
           head.seq + d.o
      FROM unnest(draft.actor_id, draft.on_behalf_of_id, draft.conversation, draft.chain_number, draft.chain,
                  draft.platform)
           WITH ORDINALITY AS d(actor_id, on_behalf_of_id, conversation, number, chain, platform, o)
     WHERE d.number IS NOT NULL
       -- Not NOT EXISTS: an anti join, planned while the table is small, reads all of it for every append when it is not.
       AND (SELECT k.number FROM oc_chain k WHERE k.ledger = p_ledger AND k.principal_id = d.actor_id
                                              AND k.on_behalf_of_id = coalesce(d.on_behalf_of_id, '')
                                              AND k.conversation = d.conversation AND k.number = d.number) IS NULL
     ORDER BY d.actor_id, d.on_behalf_of_id, d.conversation, d.number, d.o;
  END IF;

  IF array_remove(draft.session_version, NULL) <> '{}' THEN
    -- What casts would take besides is not what a verification finds in the entry later.
    IF EXISTS (SELECT FROM unnest(draft.body, draft.session_version) AS d(body, version)
                WHERE d.version IS NOT NULL
                  AND (jsonb_typeof(d.body::jsonb -> 'sessionVersion') = 'number'
                       AND coalesce(d.body::jsonb ->> 'sessionExpiresAt' ~ '^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$', true))
                      IS NOT TRUE) THEN
      RAISE EXCEPTION 'a session has a version that is a number, and expires at an RFC 3339 moment if at all' USING ERRCODE = 'OC003';
    END IF;
    INSERT INTO oc_session AS x (ledger, id, version, actor_id, on_behalf_of_id, conversation, expires_at, started_seq,
                                 updated_seq, ended)
    SELECT p_ledger, d.session_id, d.version, d.actor_id, d.on_behalf_of_id, d.conversation, d.expires_at, head.seq + d.o,
           head.seq + d.o, d.version > 1
      FROM unnest(draft.session_id, draft.session_version, draft.actor_id, draft.on_behalf_of_id, draft.conversation,
                  draft.session_expires_at)
           WITH ORDINALITY AS d(session_id, version, actor_id, on_behalf_of_id, conversation, expires_at, o)
     WHERE d.version IS NOT NULL
    ON CONFLICT (ledger, id) DO UPDATE SET
      version = excluded.version, updated_seq = excluded.updated_seq, ended = excluded.ended;
  END IF;

  IF outdated IS NOT NULL THEN
    INSERT INTO oc_directory AS x (ledger, kind, id, version, state, first_seq, updated_seq)
    SELECT p_ledger, d.said ->> 'kind', d.said ->> 'id', (d.said ->> 'version')::integer, d.said -> 'state', head.seq + d.o,
           head.seq + d.o
      FROM unnest(draft.directory) WITH ORDINALITY AS d(said, o)
     WHERE d.said IS NOT NULL
    ON CONFLICT (ledger, kind, id) DO UPDATE SET
      version = excluded.version, state = excluded.state, updated_seq = excluded.updated_seq;
  END IF;

  UPDATE oc_ledger_head h SET seq = last.seq, hash = last.hashes[cardinality(last.hashes)], recorded_at = moment
   WHERE h.ledger = p_ledger;
  PERFORM pg_notify('oc_ledger', p_ledger || ' ' || last.seq);

  RETURN QUERY
    SELECT d.n, NULL::text, head.seq + d.o, d.hash, moment, lag(d.hash, 1, head.hash) OVER (ORDER BY d.o)
      FROM unnest(draft.n, last.hashes) WITH ORDINALITY AS d(n, hash, o);
END
$$;

-- Creates a ledger with its first entry, LEDGER_CREATED; an existing ledger is left as it is. Answers the head.
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

REVOKE ALL ON FUNCTION oc_ledger_append(text, text, text, text, bigint), oc_ledger_create(text, text),
  oc_ledger_probe(text),
  oc_entry_text(text, text, bytea, text, bigint), oc_chain_step(bytea, bytea, text, text, text, bigint),
  oc_chain_hash(bytea, text, text, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_ledger_append(text, text, text, text, bigint), oc_ledger_create(text, text), oc_ledger_probe(text)
  TO oc_app;
-- Pure and harmless: anybody who verifies may write an entry's text the way the ledger does.
GRANT EXECUTE ON FUNCTION oc_entry_text(text, text, bytea, text, bigint) TO oc_app, oc_auditor;
