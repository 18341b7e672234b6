-- The slow path: names what is wrong with entries $2 to $3 of ledger $1, one row a position and verdict, at most $4.
-- Run only where range.sql counted a bad entry or failed, so it says everything rather than being quick.
WITH row AS (
  SELECT l.*, p.payload, convert_to(l.entry, 'UTF8') AS bytes,
         pg_input_is_valid(l.entry, 'jsonb') AS readable
    FROM public.oc_audit_log l
    LEFT JOIN ONLY public.oc_audit_payload p ON p.ledger = $1::text AND p.seq = l.seq AND p.seq BETWEEN $2::bigint - 1 AND $3::bigint
   WHERE l.ledger = $1::text AND l.seq BETWEEN $2::bigint - 1 AND $3::bigint
),
parsed AS (
  SELECT r.*, r.hash = sha256(r.bytes) AS hashed,
         CASE WHEN r.readable AND jsonb_typeof(r.entry::jsonb) = 'object' THEN r.entry::jsonb ELSE '{}'::jsonb END AS json
    FROM row r
),
judged AS (
  -- Of bytes whose hash is wrong nothing else is worth comparing, and bytes of another format cannot be.
  SELECT p.*, p.json -> 'body' AS body, p.hashed AND p.readable AND p.json -> 'v' = '1'::jsonb AS comparable,
         lag(p.seq) OVER w AS before_seq, lag(p.recorded_at) OVER w AS before_at,
         count(*) OVER (PARTITION BY p.seq) AS standing, row_number() OVER (PARTITION BY p.seq ORDER BY p.hash) AS nth
    FROM parsed p WINDOW w AS (ORDER BY p.seq, p.hash)
),
problem AS (
  SELECT j.seq, 'CONTENT_MISMATCH' AS verdict,
         'the stored bytes hash to ' || encode(sha256(j.bytes), 'hex') || ', the row says ' || encode(j.hash, 'hex') AS detail
    FROM judged j WHERE NOT j.hashed
  UNION ALL
  SELECT j.seq, 'UNVERIFIABLE', CASE WHEN NOT j.readable THEN 'the bytes are not JSON'
           ELSE 'entry format ' || coalesce(j.json ->> 'v', 'without a number') || ' is not known to this version' END
    FROM judged j WHERE j.hashed AND NOT j.comparable
  UNION ALL
  SELECT j.seq, 'LINK_BROKEN', 'the bytes say they are position ' || coalesce(j.json ->> 'seq', 'none') || ' of ledger '
           || coalesce(j.json ->> 'ledger', 'none')
    FROM judged j WHERE j.comparable AND (j.json ->> 'seq', j.json ->> 'ledger') IS DISTINCT FROM (j.seq::text, j.ledger)
  UNION ALL
  SELECT j.seq, 'LINK_BROKEN', 'the bytes name ' || coalesce(j.json ->> 'prevHash', 'nothing') || ' as predecessor, the row '
           || encode(j.prev_hash, 'hex')
    FROM judged j WHERE j.comparable AND (j.json ->> 'prevHash') IS DISTINCT FROM encode(j.prev_hash, 'hex')
  UNION ALL
  SELECT j.seq, 'CONTENT_MISMATCH', 'the bytes are not of the form that entries have'
    FROM judged j
   WHERE j.comparable
     AND j.bytes <> convert_to('{"body":', 'UTF8') || substring(j.bytes FROM 9 FOR octet_length(j.bytes) - 8 - octet_length(
           ',"ledger":"' || (j.json ->> 'ledger') || '","prevHash":"' || (j.json ->> 'prevHash') || '","recordedAt":"'
             || (j.json ->> 'recordedAt') || '","seq":"' || (j.json ->> 'seq') || '","v":1}'))
           || convert_to(',"ledger":"' || (j.json ->> 'ledger') || '","prevHash":"' || (j.json ->> 'prevHash')
             || '","recordedAt":"' || (j.json ->> 'recordedAt') || '","seq":"' || (j.json ->> 'seq') || '","v":1}', 'UTF8')
  UNION ALL
  SELECT j.seq, 'CONTENT_MISMATCH', 'column ' || c.name || ' says ' || coalesce(c.stored, 'nothing') || ', the bytes '
           || coalesce(c.said, 'nothing')
    FROM judged j, LATERAL (VALUES
           ('recorded_at', to_char(j.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), j.json ->> 'recordedAt'),
           ('id', j.id::text, lower(j.body ->> 'id')), ('type', j.type, j.body ->> 'type'),
           ('actor_id', j.actor_id, j.body #>> '{actor,id}'),
           ('on_behalf_of_id', j.on_behalf_of_id, j.body #>> '{onBehalfOf,id}'), ('session_id', j.session_id::text, lower(j.body ->> 'session')),
           ('action_id', j.action_id::text, lower(j.body #>> '{action,id}')),
           ('action_version', j.action_version::text, j.body #>> '{action,version}'),
           ('platform', j.platform, j.body ->> 'platform'), ('tool', j.tool, j.body ->> 'tool'),
           ('effect', j.effect, j.body ->> 'effect'), ('chain', j.chain::text, lower(j.body ->> 'chain')),
           ('source_chain', j.source_chain::text, lower(j.body ->> 'sourceChain'))) AS c(name, stored, said)
   WHERE j.comparable AND c.stored IS DISTINCT FROM c.said
  UNION ALL
  SELECT j.seq, 'CONTENT_MISMATCH', CASE
           WHEN x.promised IS NULL THEN 'the payload has a value at ' || x.key || ' that the entry never committed to'
           ELSE 'the payload value at ' || x.key || ' is not the one the entry committed to' END
    FROM judged j, LATERAL (
           SELECT v.key, v.value, j.body #>> string_to_array(v.key || '.commit', '.') AS promised
             FROM json_each_text(CASE WHEN json_typeof(j.payload) <> 'object' THEN '{"":null}' ELSE j.payload END) v) x
   WHERE j.comparable
     AND (x.promised, x.value ~ '^\{"salt":"[0-9a-f]{32}","value":.') IS DISTINCT FROM (
           CASE WHEN x.value ~ '^\{"salt":"[0-9a-f]{32}","value":.' THEN encode(sha256(
             convert_to('countersign/commit/v1', 'UTF8') || '\x00'::bytea || decode(substr(x.value, 10, 32), 'hex')
               || convert_to(substr(x.value, 52, length(x.value) - 52), 'UTF8')), 'hex') END, true)
  UNION ALL
  SELECT j.seq, 'CONTENT_MISMATCH', 'no row of oc_chain has the routing chain that the entry is a step of'
    FROM judged j
   WHERE j.comparable AND j.body ? 'chainNumber'
     AND NOT EXISTS (SELECT FROM ONLY public.oc_chain k
                      WHERE k.ledger = j.ledger AND k.principal_id = j.actor_id
                        AND k.on_behalf_of_id = coalesce(j.on_behalf_of_id, '') AND k.number::text = j.body ->> 'chainNumber'
                        AND k.conversation = coalesce(j.body ->> 'conversation', '') AND k.chain = j.chain
                        AND k.started_seq <= j.seq)
  UNION ALL
  SELECT j.seq, 'FORKED', j.standing || ' rows stand at this position'
    FROM judged j WHERE j.standing > 1 AND j.nth = 1
  UNION ALL
  SELECT j.seq, 'LINK_BROKEN', 'its predecessor is said to be ' || encode(j.prev_hash, 'hex') || ', which is not the hash of the entry before it'
    FROM judged j
   WHERE j.seq > 1 AND EXISTS (SELECT FROM row b WHERE b.seq = j.seq - 1)
     AND NOT EXISTS (SELECT FROM row b WHERE b.seq = j.seq - 1 AND b.hash = j.prev_hash)
  UNION ALL
  SELECT 1, 'LINK_BROKEN', 'a ledger begins with LEDGER_CREATED, whose predecessor is 64 zeros'
    FROM judged j WHERE j.seq = 1 AND (j.type <> 'LEDGER_CREATED' OR j.prev_hash <> decode(repeat('00', 32), 'hex'))
  UNION ALL
  SELECT j.seq, 'CONTENT_MISMATCH', 'it is dated before the entry it follows'
    FROM judged j WHERE j.recorded_at < j.before_at
  UNION ALL
  -- A gap is named at its first missing position.
  SELECT g.first, 'SEQUENCE_GAP', CASE WHEN g.first = g.last THEN 'there is no entry at this position'
           ELSE 'there are no entries at positions ' || g.first || ' to ' || g.last END
    FROM (SELECT coalesce(j.before_seq, $2::bigint - 1) + 1 AS first, j.seq - 1 AS last FROM judged j
          UNION ALL
          SELECT greatest(coalesce(max(r.seq) + 1, 1), $2::bigint), $3::bigint FROM row r) g
   WHERE g.first <= g.last AND g.last >= $2::bigint
)
SELECT b.seq::text AS seq, b.verdict, string_agg(DISTINCT b.detail, '; ') AS detail
  FROM problem b WHERE b.seq BETWEEN $2::bigint AND $3::bigint
 GROUP BY b.seq, b.verdict ORDER BY b.seq, b.verdict LIMIT $4::integer
