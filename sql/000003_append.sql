-- The only doors through which a ledger grows. Both run as oc_owner; oc_app may only call them.

SET LOCAL ROLE oc_owner;

-- What becomes columns of a draft, and what it moves, still as JSON.
CREATE TYPE oc_draft AS (
  ordinal integer, id uuid, type text, actor_id text, on_behalf_of_id text, session_id uuid, action_id uuid, platform text,
  tool text, effect text, chain uuid, source_chain uuid, conversation text, states jsonb
);

-- A thing that a draft depends on, or moves: `state` is then what it becomes. `version` is the one it must have before that, and
-- `expected` members that its state must have then.
CREATE TYPE oc_touch AS (ordinal integer, batch integer, kind text, id text, version integer, state jsonb, expected jsonb);

-- oc_append_batches(ledgers, bodies, payloads, conditions, after, calls, wait, by_draft)
--
-- Appends a batch to each of several ledgers in one transaction. All arguments but `after`, `wait` and `by_draft` are lists with an
-- item for each batch; no ledger has two.
--
-- bodies:     the body of one draft a line, as RFC 8785 text, which never holds a raw control character.
-- payloads:   its payload, as RFC 8785 text, or an empty line. Empty altogether: no draft has one.
-- conditions: what must hold for drafts (by their ordinals, from 1) to be recorded, or empty:
--             {"deadlines": [{"notAfter", "drafts"}], "dependencies": [{"kind", "id", "version", "state", "drafts"}],
--              "windows": [{"after", "scope", "id", "platform", "tool", "measure", "value", "drafts"}]}
-- after:      for the retry of one batch after a commit with an unknown outcome: a position before everything the batch may have
--             recorded; otherwise null. A draft with an id that is recorded after this position is not written again: the call
--             returns its entry.
-- calls:      UUIDs of calls that may have to be repeated; a retry has the same one. The first call may still be running
--             then, waiting for the head lock, or not read by the server so far: after a retry it fails as a whole.
-- wait:       whether to wait for a head that is locked. Given false, nothing of such a batch is written, while others are.
--
-- by_draft:   whether to return a row a draft, or a row a batch.
--
-- Drafts of a ledger are judged and applied in order, under its head lock, each as if it came alone. Returns, in any order,
--   by draft: its batch, its ordinal there (both from 1), position, hash, time and predecessor, or why it alone was refused, with
--             nothing of it written;
--   by batch: the batch, the position of its first accepted draft, their time, and the hash that is the predecessor of the first:
--             accepted drafts take consecutive positions. `hashes` are theirs, 64 hex digits each; `refused` has
--             `<ordinal>:<refusal>` of the others, separated by spaces. Null where there are none.
-- A draft is refused as
--   LATE      its notAfter has passed
--   <KIND>    a thing of this kind has another version than the draft depends on or moves on from, or a state without the members
--             given, or has expired; of several, one that it depends on before one that it moves, then by name
--   WINDOW    the proposals after a position, with those of this call before it, come to another value (oc_windows_last, 000015)
-- A thing that does not exist has version 0. Of a batch of which nothing is written although others are there is one row, without an
-- ordinal, with the SQLSTATE in place of the refusal: 55P03 (the head is locked), OC001 (there is no such ledger), OC005 (the call was
-- repeated). Given `wait`, the latter two fail the call. A malformed draft fails the whole call (the caller finds it by bisection);
-- nothing of the call is then written.
CREATE FUNCTION oc_append_batches(p_ledgers text[], p_bodies text[], p_payloads text[], p_conditions text[], p_after bigint,
                                  p_calls uuid[], p_wait boolean, p_by_draft boolean)
RETURNS TABLE (batch integer, ordinal integer, refusal text, seq bigint, hash bytea, recorded_at timestamptz, prev_hash bytea,
               hashes text, refused text)
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
-- Cached plans are made while tables are small; these keep them on the indexes when they are not.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  each        record;
  -- By batch.
  head_seqs   bigint[];
  head_hashes bytea[];
  last_seqs   bigint[];
  last_hashes bytea[];
  moments     timestamptz[];
  offsets     integer[];
  failures    text[];
  -- Of the batch that is being processed.
  current     integer;
  middle      text;
  tail        text;
  last_seq    bigint;
  last_hash   bytea;
  part        text[];
  well_formed boolean;
  has_payload boolean := array_to_string(p_payloads, '') <> '';
  conditional boolean := array_to_string(p_conditions, '') <> '';
  now         timestamptz;
  -- By ordinal: what a draft is, why it is refused, or what it becomes.
  bodies      text[] := '{}';
  payloads    text[] := '{}';
  batches     integer[] := '{}';
  size        integer;
  drafts      oc_draft[];
  touches     oc_touch[];
  refusals    text[];
  texts       text[];
  seqs        bigint[];
  own_hashes  bytea[];
  prev_hashes bytea[];
  -- Drafts are judged, and their states written, a run at a time: none of a run touches what another one before it moves.
  -- Most calls are one run.
  starts      integer[] := '{1}';
  first       integer;
  last        integer;
  of_run      oc_touch[];
  next_touch  integer := 1;
  made        integer;
  moved       integer;
  windows     jsonb[]; -- by ordinal, that a draft was evaluated by: it begins a run, so that it sees all before it
  windowed    integer[] := '{}';
  updated     integer;
  written     integer;
  appended    boolean := false;
BEGIN
  last_seqs[cardinality(p_ledgers)] := NULL;
  failures[cardinality(p_ledgers)] := NULL;
  IF p_wait THEN
    SELECT h.seq, h.hash, h.recorded_at, h.superseded INTO each
      FROM oc_ledger_head h WHERE h.ledger = p_ledgers[1] FOR NO KEY UPDATE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'ledger % does not exist', p_ledgers[1] USING ERRCODE = 'OC001';
    END IF;
    IF p_after IS NULL AND p_calls[1] = ANY (each.superseded) THEN
      RAISE EXCEPTION 'call % was repeated before it came to this', p_calls[1] USING ERRCODE = 'OC005';
    END IF;
    last_seqs[1] := each.seq;
    last_hashes[1] := each.hash;
    moments[1] := greatest(clock_timestamp(), each.recorded_at);
  ELSE
    FOR each IN
      SELECT array_position(p_ledgers, h.ledger) AS batch, h.seq, h.hash, h.recorded_at, h.superseded
        FROM oc_ledger_head h WHERE h.ledger = ANY (p_ledgers) FOR NO KEY UPDATE SKIP LOCKED
    LOOP
      last_seqs[each.batch] := each.seq;
      last_hashes[each.batch] := each.hash;
      moments[each.batch] := each.recorded_at;
      failures[each.batch] := CASE WHEN p_calls[each.batch] = ANY (each.superseded) THEN 'OC005' END;
    END LOOP;
    now := clock_timestamp();
    FOR i IN 1 .. cardinality(p_ledgers) LOOP
      moments[i] := greatest(now, moments[i]);
      IF last_seqs[i] IS NULL THEN
        failures[i] := CASE WHEN EXISTS (SELECT FROM oc_ledger_head h WHERE h.ledger = p_ledgers[i]) THEN '55P03' ELSE 'OC001' END;
      END IF;
    END LOOP;
  END IF;
  FOR i IN 1 .. cardinality(p_ledgers) LOOP
    -- JSON itself refuses control characters within strings; between tokens it would let a carriage return stand.
    IF strpos(p_bodies[i], E'\r') > 0 OR strpos(p_payloads[i], E'\r') > 0 THEN
      RAISE EXCEPTION 'a draft holds a raw control character' USING ERRCODE = 'OC003';
    END IF;
    offsets[i] := cardinality(bodies);
    part := string_to_array(p_bodies[i], E'\n');
    IF cardinality(part) > 0 IS NOT TRUE THEN
      RAISE EXCEPTION 'there is at least one draft in a batch' USING ERRCODE = 'OC003';
    END IF;
    bodies := bodies || part;
    batches := batches || array_fill(i, ARRAY[cardinality(part)]);
    IF has_payload THEN
      payloads := payloads || CASE WHEN p_payloads[i] = '' THEN array_fill(''::text, ARRAY[cardinality(part)])
                                   ELSE string_to_array(p_payloads[i], E'\n') END;
    END IF;
    IF failures[i] IS NOT NULL THEN
      refusals[offsets[i] + 1 : cardinality(bodies)] := array_fill('skipped'::text, ARRAY[cardinality(part)]);
      RETURN QUERY SELECT i, NULL::integer, failures[i], NULL::bigint, NULL::bytea, NULL::timestamptz, NULL::bytea, NULL::text,
                          NULL::text;
    END IF;
    IF has_payload AND cardinality(payloads) <> cardinality(bodies) THEN
      RAISE EXCEPTION 'the payloads of a batch, if any, are as many as its drafts' USING ERRCODE = 'OC003';
    END IF;
  END LOOP;
  size := cardinality(bodies);
  head_seqs := last_seqs;
  head_hashes := last_hashes;

  SELECT array_agg(ROW(t.n, b.id, b.type, b.actor ->> 'id', b."onBehalfOf" ->> 'id', b.session, b.action, b.platform, b.tool,
                       b.effect, b.chain, b."sourceChain", coalesce(b.conversation, ''), b.states)::oc_draft),
         bool_and(t.body IS JSON OBJECT WITH UNIQUE KEYS AND (b.states IS NULL OR jsonb_typeof(b.states) = 'array'))
    INTO drafts, well_formed
    FROM unnest(bodies) WITH ORDINALITY AS t(body, n)
   CROSS JOIN LATERAL jsonb_to_record(t.body::jsonb) AS b(id uuid, type text, actor jsonb, "onBehalfOf" jsonb, session uuid,
           action uuid, states jsonb, platform text, tool text, effect text, chain uuid, "sourceChain" uuid,
           conversation text);
  IF well_formed IS NOT TRUE THEN
    RAISE EXCEPTION 'the body of a draft is a JSON object with unique keys, and its states are a list' USING ERRCODE = 'OC003';
  END IF;
  refusals[size] := refusals[size];
  -- Statements that are not needed are skipped, here and below: each one takes a noticeable part of an append of one draft.
  IF conditional THEN
    IF EXISTS (SELECT FROM unnest(p_conditions) AS c(text)
                WHERE c.text <> '' AND (jsonb_typeof(c.text::jsonb) <> 'object' OR c.text::jsonb - 'deadlines' - 'dependencies' - 'windows' <> '{}')) THEN
      RAISE EXCEPTION 'conditions are deadlines, dependencies and windows' USING ERRCODE = 'OC003';
    END IF;
    FOR each IN
      SELECT c.batch, n::integer AS ordinal, d.deadline ->> 'notAfter' AS not_after
        FROM unnest(p_conditions) WITH ORDINALITY AS c(text, batch)
       CROSS JOIN LATERAL jsonb_array_elements(nullif(c.text, '')::jsonb -> 'deadlines') AS d(deadline)
        LEFT JOIN LATERAL jsonb_array_elements(d.deadline -> 'drafts') AS n ON true
       WHERE ((d.deadline ->> 'notAfter')::timestamptz > moments[c.batch]
              AND n::integer BETWEEN 1 AND coalesce(offsets[c.batch + 1], size) - offsets[c.batch]) IS NOT TRUE
    LOOP
      IF (each.ordinal BETWEEN 1 AND coalesce(offsets[each.batch + 1], size) - offsets[each.batch]
          AND each.not_after IS NOT NULL) IS NOT TRUE THEN
        RAISE EXCEPTION 'a deadline has an instant and the ordinals of its drafts' USING ERRCODE = 'OC003';
      END IF;
      refusals[offsets[each.batch] + each.ordinal] := coalesce(refusals[offsets[each.batch] + each.ordinal], 'LATE');
    END LOOP;
    IF strpos(array_to_string(p_conditions, ''), '"windows"') > 0 THEN
      FOR each IN
        SELECT offsets[c.batch] + n::integer AS ordinal, jsonb_agg(w.read) AS reads
          FROM unnest(p_conditions) WITH ORDINALITY AS c(text, batch)
         CROSS JOIN LATERAL jsonb_array_elements(nullif(c.text, '')::jsonb -> 'windows') AS w(read)
          LEFT JOIN LATERAL jsonb_array_elements(w.read -> 'drafts') AS n ON true GROUP BY 1 ORDER BY 1
      LOOP
        IF (each.ordinal BETWEEN 1 AND size) IS NOT TRUE THEN
          RAISE EXCEPTION 'a window has the ordinals of its drafts' USING ERRCODE = 'OC003';
        END IF;
        windows[each.ordinal] := each.reads;
        windowed := windowed || each.ordinal;
      END LOOP;
    END IF;
  END IF;
  IF p_after IS NOT NULL THEN
    -- Retries of the recent past are enough: nothing is under way for longer than connections live that broke.
    UPDATE oc_ledger_head h SET superseded = (p_calls[1] || h.superseded)[:32]
     WHERE h.ledger = p_ledgers[1] AND p_calls[1] IS NOT NULL AND p_calls[1] <> ALL (h.superseded);
    -- By id, and not by position: others may have recorded much behind this one. `||` and `+` keep a plan that was made while the
    -- table was small off the index of positions.
    FOR each IN
      SELECT d.ordinal, e.seq, e.hash, e.recorded_at, e.prev_hash
        FROM oc_audit_log e JOIN unnest(drafts) d ON d.id = e.id
       WHERE e.ledger || '' = p_ledgers[1] AND e.seq + 0 > p_after AND e.id = ANY (ARRAY(SELECT x.id FROM unnest(drafts) x))
         AND e.recorded_at >= (SELECT m.starts FROM oc_ledger_month m
                                WHERE m.ledger = p_ledgers[1] AND m.first_seq <= p_after + 1 ORDER BY m.first_seq DESC LIMIT 1)
    LOOP
      refusals[each.ordinal] := 'recorded';
      RETURN QUERY SELECT 1, each.ordinal, NULL::text, each.seq, each.hash, each.recorded_at, each.prev_hash, NULL::text, NULL::text;
    END LOOP;
  END IF;

  SELECT array_agg(ROW(t.ordinal, batches[t.ordinal], t.thing ->> 'kind', t.thing ->> 'id',
                       (t.thing ->> 'version')::integer - t.step, t.state, t.expected)::oc_touch
                   ORDER BY t.ordinal, t.step, t.thing ->> 'kind'),
         bool_and((jsonb_typeof(t.thing -> 'kind') = 'string' AND jsonb_typeof(t.thing -> 'id') = 'string'
                   AND jsonb_typeof(t.thing -> 'version') = 'number' AND t.ordinal > t.before AND t.ordinal <= t.until
                   AND (t.step = 0 OR jsonb_typeof(t.state) = 'object')) IS TRUE)
    INTO touches, well_formed
    FROM (SELECT offsets[c.batch] + n::integer AS ordinal, offsets[c.batch] AS before, coalesce(offsets[c.batch + 1], size) AS until,
                 r.thing, 0 AS step, NULL::jsonb AS state, r.thing -> 'state' AS expected
            FROM unnest(p_conditions) WITH ORDINALITY AS c(text, batch)
           CROSS JOIN LATERAL jsonb_array_elements(nullif(c.text, '')::jsonb -> 'dependencies') AS r(thing)
            LEFT JOIN LATERAL jsonb_array_elements(r.thing -> 'drafts') AS n ON true
           UNION ALL
          SELECT d.ordinal, 0, size, m.thing, 1, m.thing -> 'state', NULL::jsonb
            FROM unnest(drafts) d, jsonb_array_elements(d.states) AS m(thing)) t;
  IF NOT well_formed THEN
    RAISE EXCEPTION 'a state has kind, id, version and state; what drafts depend on has kind, id, version and the ordinals of the drafts'
      USING ERRCODE = 'OC003';
  END IF;
  IF size > 1 THEN
    IF windowed <> '{}' OR EXISTS (SELECT FROM unnest(touches) t GROUP BY t.batch, t.kind, t.id
                                    HAVING min(t.ordinal) < max(t.ordinal) AND bool_or(t.state IS NOT NULL)) THEN
      FOR each IN
        SELECT b.ordinal, max(b.behind) AS behind
          FROM (SELECT w.ordinal, w.ordinal - 1 AS behind FROM unnest(windowed) AS w(ordinal) WHERE w.ordinal > 1
                 UNION ALL
                SELECT t.ordinal, max(t.ordinal) FILTER (WHERE t.state IS NOT NULL) OVER (
                         PARTITION BY t.batch, t.kind, t.id ORDER BY t.ordinal RANGE UNBOUNDED PRECEDING EXCLUDE GROUP) AS behind
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
          LEFT JOIN LATERAL (SELECT s.version, s.expires_at, s.state FROM oc_state s
                              WHERE s.ledger = p_ledgers[t.batch] AND s.kind = t.kind AND s.id = t.id LIMIT 1) s ON true
         WHERE coalesce(s.version, 0) <> t.version OR (t.state IS NULL AND s.expires_at <= moments[t.batch])
               OR NOT s.state @> t.expected
      LOOP
        -- The same check as on oc_state: the refusal that is returned is never any other text.
        IF each.kind !~ '^[A-Z][A-Z_]{0,39}$' OR each.kind IN ('LATE', 'WINDOW') THEN
          RAISE EXCEPTION 'a thing has a kind in capitals, which is not LATE or WINDOW' USING ERRCODE = 'OC003';
        END IF;
        refusals[each.ordinal] := coalesce(refusals[each.ordinal], each.kind);
      END LOOP;
    END IF;

    IF windows[first] IS NOT NULL AND refusals[first] IS NULL THEN
      IF NOT oc_windows_last(p_ledgers[batches[first]], windows[first]) THEN
        refusals[first] := 'WINDOW';
      END IF;
    END IF;

    current := 0;
    FOR i IN first .. last LOOP
      IF refusals[i] IS NULL THEN
        IF batches[i] <> current THEN
          IF current > 0 THEN
            last_seqs[current] := last_seq;
            last_hashes[current] := last_hash;
          END IF;
          current := batches[i];
          last_seq := last_seqs[current];
          last_hash := last_hashes[current];
          middle := ',"ledger":"' || p_ledgers[current] || '","prevHash":"';
          tail := '","recordedAt":"' || to_char(moments[current] AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","seq":"';
        END IF;
        last_seq := last_seq + 1;
        seqs[i] := last_seq;
        prev_hashes[i] := last_hash;
        texts[i] := oc_entry_text(bodies[i], middle, last_hash, tail, last_seq);
        last_hash := sha256(convert_to(texts[i], 'UTF8'));
        own_hashes[i] := last_hash;
      END IF;
    END LOOP;
    IF current > 0 THEN
      appended := true;
      last_seqs[current] := last_seq;
      last_hashes[current] := last_hash;
      -- Its trigger compares the links with the heads, and moves the heads on. Before the states: they are compared with it.
      INSERT INTO oc_audit_log (ledger, seq, recorded_at, entry, hash, prev_hash, id, type, actor_id, on_behalf_of_id,
                                session_id, action_id, state_version, platform, tool, effect, chain, source_chain, measures)
      SELECT p_ledgers[batches[d.ordinal]], seqs[d.ordinal], moments[batches[d.ordinal]], texts[d.ordinal], own_hashes[d.ordinal],
             prev_hashes[d.ordinal], d.id, d.type, d.actor_id, d.on_behalf_of_id, d.session_id, d.action_id,
             (d.states #>> '{0,version}')::integer, d.platform, d.tool, d.effect, d.chain, d.source_chain,
             CASE WHEN d.type = 'ACTION_PROPOSED' AND strpos(texts[d.ordinal], '"measures":{') > 0 THEN oc_measures(texts[d.ordinal]) END
        FROM unnest(drafts[first:last]) d WHERE refusals[d.ordinal] IS NULL;
    END IF;

    SELECT count(*) FILTER (WHERE t.version = 0), count(*) FILTER (WHERE t.version > 0) INTO made, moved
      FROM unnest(of_run) t WHERE t.state IS NOT NULL AND refusals[t.ordinal] IS NULL;
    written := 0;
    IF made > 0 THEN
      INSERT INTO oc_state (ledger, kind, id, version, state, status, expires_at, actor_id, on_behalf_of_id, conversation,
                            first_seq, updated_seq, entries, hash)
      SELECT p_ledgers[t.batch], t.kind, t.id, 1, t.state, t.state ->> 'status', (t.state ->> 'expiresAt')::timestamptz,
             drafts[t.ordinal].actor_id, drafts[t.ordinal].on_behalf_of_id, drafts[t.ordinal].conversation,
             seqs[t.ordinal], seqs[t.ordinal], ARRAY[seqs[t.ordinal]], own_hashes[t.ordinal]
        FROM unnest(of_run) t
       WHERE t.state IS NOT NULL AND t.version = 0 AND refusals[t.ordinal] IS NULL
      ON CONFLICT DO NOTHING;
      GET DIAGNOSTICS written = ROW_COUNT;
    END IF;
    IF moved > 0 THEN
      UPDATE oc_state s
         SET version = s.version + 1, state = t.state, status = t.state ->> 'status',
             expires_at = (t.state ->> 'expiresAt')::timestamptz, updated_seq = seqs[t.ordinal],
             entries = s.entries || seqs[t.ordinal], hash = own_hashes[t.ordinal]
        FROM (SELECT t.ordinal, t.state, (SELECT x.ctid FROM oc_state x
                                           WHERE x.ledger = p_ledgers[t.batch] AND x.kind = t.kind AND x.id = t.id LIMIT 1) AS place
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

  IF appended AND has_payload THEN
    INSERT INTO oc_audit_payload (ledger, seq, payload, recorded_at)
    SELECT p_ledgers[batches[d.n]], seqs[d.n], d.payload::json, moments[batches[d.n]]
      FROM unnest(payloads) WITH ORDINALITY AS d(payload, n) WHERE refusals[d.n] IS NULL AND d.payload <> '';
  END IF;
  IF p_by_draft THEN
    RETURN QUERY
      SELECT batches[d.ordinal], d.ordinal - offsets[batches[d.ordinal]], refusals[d.ordinal], seqs[d.ordinal],
             own_hashes[d.ordinal], CASE WHEN refusals[d.ordinal] IS NULL THEN moments[batches[d.ordinal]] END,
             prev_hashes[d.ordinal], NULL::text, NULL::text
        FROM generate_series(1, size) AS d(ordinal)
       WHERE refusals[d.ordinal] IS NULL OR refusals[d.ordinal] NOT IN ('recorded', 'skipped');
  ELSE
    RETURN QUERY
      SELECT b.batch, NULL::integer, NULL::text, head_seqs[b.batch] + 1, NULL::bytea, moments[b.batch], head_hashes[b.batch], b.hashes,
             b.refused
        FROM (SELECT batches[d.ordinal] AS batch, string_agg(encode(own_hashes[d.ordinal], 'hex'), '' ORDER BY d.ordinal) AS hashes,
                     string_agg(d.ordinal - offsets[batches[d.ordinal]] || ':' || refusals[d.ordinal], ' ') AS refused
                FROM generate_series(1, size) AS d(ordinal)
               WHERE refusals[d.ordinal] IS DISTINCT FROM 'skipped'
               GROUP BY batches[d.ordinal]) b;
  END IF;
END
$$;

-- One batch of oc_append_batches, which waits for its head.
CREATE FUNCTION oc_ledger_append(p_ledger text, p_bodies text, p_payloads text DEFAULT '', p_conditions text DEFAULT '',
                                 p_after bigint DEFAULT NULL, p_call uuid DEFAULT NULL)
RETURNS TABLE (ordinal integer, refusal text, seq bigint, hash bytea, recorded_at timestamptz, prev_hash bytea)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
BEGIN ATOMIC
  SELECT a.ordinal, a.refusal, a.seq, a.hash, a.recorded_at, a.prev_hash
    FROM oc_append_batches(ARRAY[p_ledger], ARRAY[p_bodies], ARRAY[coalesce(p_payloads, '')], ARRAY[coalesce(p_conditions, '')],
                           p_after, ARRAY[p_call], true, true) a;
END;

-- Why nothing of a batch was written, in words.
CREATE FUNCTION oc_append_failure(p_sqlstate text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE p_sqlstate WHEN '55P03' THEN 'the head of the ledger is locked'
                       WHEN 'OC001' THEN 'the ledger does not exist'
                       WHEN 'OC005' THEN 'the call was repeated before it came to this' END;

-- oc_append_batches with a row a batch, in their order (parsing a row a draft costs a client more than the append costs the
-- database). Where nothing of a batch was written, `failure` is the SQLSTATE of why, and `message` says it. What fails for want of
-- room, or because the server is going down, fails the whole call. `p_wait`: there is one batch, it waits for its head, and what
-- fails it fails the call.
CREATE FUNCTION oc_ledger_append_each(p_ledgers text[], p_bodies text[], p_payloads text[], p_conditions text[], p_calls uuid[],
                                      p_wait boolean)
RETURNS TABLE (failure text, message text, first_seq bigint, recorded_at timestamptz, prev_hash bytea, hashes text, refused text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  IF (cardinality(p_bodies), cardinality(p_payloads), cardinality(p_conditions), cardinality(p_calls))
     IS DISTINCT FROM (cardinality(p_ledgers), cardinality(p_ledgers), cardinality(p_ledgers), cardinality(p_ledgers)) THEN
    RAISE EXCEPTION 'there are as many bodies, payloads, conditions and calls as ledgers' USING ERRCODE = 'OC003';
  END IF;
  IF cardinality(p_ledgers) > 1 THEN
    IF p_wait OR cardinality(p_ledgers) > (SELECT count(DISTINCT l) FROM unnest(p_ledgers) l) THEN
      RAISE EXCEPTION 'each batch has a ledger of its own, and only a batch that is alone can wait' USING ERRCODE = 'OC003';
    END IF;
  END IF;
  IF p_wait THEN
    RETURN QUERY
      SELECT a.refusal, NULL::text, a.seq, a.recorded_at, a.prev_hash, a.hashes, a.refused
        FROM oc_append_batches(p_ledgers, p_bodies, p_payloads, p_conditions, NULL, p_calls, true, false) a;
    RETURN;
  END IF;
  BEGIN
    RETURN QUERY
      SELECT a.refusal, oc_append_failure(a.refusal), a.seq, a.recorded_at, a.prev_hash, a.hashes, a.refused
        FROM oc_append_batches(p_ledgers, p_bodies, p_payloads, p_conditions, NULL, p_calls, false, false) a
       ORDER BY a.batch;
    RETURN;
  EXCEPTION WHEN OTHERS THEN
    IF left(SQLSTATE, 2) IN ('53', '57', '58', 'XX') THEN
      RAISE;
    END IF;
  END;
  -- One of the batches failed the call: append each by itself.
  FOR i IN 1 .. cardinality(p_ledgers) LOOP
    BEGIN
      RETURN QUERY
        SELECT a.refusal, oc_append_failure(a.refusal), a.seq, a.recorded_at, a.prev_hash, a.hashes, a.refused
          FROM oc_append_batches(p_ledgers[i:i], p_bodies[i:i], p_payloads[i:i], p_conditions[i:i], NULL, p_calls[i:i], false, false) a;
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

REVOKE ALL ON FUNCTION oc_append_batches(text[], text[], text[], text[], bigint, uuid[], boolean, boolean), oc_append_failure(text),
  oc_ledger_append(text, text, text, text, bigint, uuid), oc_ledger_append_each(text[], text[], text[], text[], uuid[], boolean),
  oc_ledger_create(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_ledger_append(text, text, text, text, bigint, uuid),
  oc_ledger_append_each(text[], text[], text[], text[], uuid[], boolean), oc_ledger_create(text, text) TO oc_app;
