-- The fast path of a verification: re-checks every entry $2 to $3 of ledger $1 and answers one row for all of them.
-- Which entry is wrong, and how, is for rows.sql. An entry that is not JSON at all makes this statement fail.
SELECT count(*) FILTER (WHERE c.seq >= $2::bigint) AS entries,
       count(*) FILTER (WHERE c.seq >= $2::bigint AND (c.intact AND c.linked) IS NOT TRUE) AS bad,
       coalesce(max(c.seq), 0) AS last,
       -- Which action's version stands where, order aside; states.sql answers the same over the state rows.
       coalesce(bit_xor(uuid_hash_extended(c.action_id, c.seq # (c.action_version::bigint << 48)))
         FILTER (WHERE c.seq >= $2::bigint AND c.action_version IS NOT NULL), 0) AS versions,
       -- How many entries start a routing chain; chains.sql counts the chains.
       count(*) FILTER (WHERE c.seq >= $2::bigint AND c.chain_started = c.seq) AS chains,
       -- Which session starts and ends where; sessions.sql answers the same over the session rows.
       coalesce(bit_xor(uuid_hash_extended(c.session_id, c.seq # (c.session_version << 48)))
         FILTER (WHERE c.seq >= $2::bigint AND c.session_version IS NOT NULL), 0) AS sessions,
       -- Each version put in the place of the one before it leaves the last of each thing; directory.sql answers those.
       coalesce(bit_xor(CASE WHEN c.listed_version > 1 THEN hashtextextended(c.listed, c.listed_version - 1) ELSE 0 END
                        # hashtextextended(c.listed, c.listed_version))
         FILTER (WHERE c.seq >= $2::bigint AND c.listed IS NOT NULL), 0) AS directory
  FROM (
    SELECT r.seq, r.action_id, r.action_version, r.chain_started, r.session_id, r.session_version, r.listed, r.listed_version,
           r.intact,
           CASE WHEN r.seq = 1
                THEN r.type = 'LEDGER_CREATED' AND lag(r.seq) OVER w IS NULL
                     AND r.prev_hash = '\x0000000000000000000000000000000000000000000000000000000000000000'::bytea
                ELSE lag(r.seq) OVER w = r.seq - 1 AND lag(r.hash) OVER w = r.prev_hash AND lag(r.recorded_at) OVER w <= r.recorded_at
           END AS linked
      FROM (
        SELECT e.seq, e.hash, e.prev_hash, e.recorded_at, e.type, e.action_id, e.action_version, e.chain_started,
               e.session_id,
               CASE WHEN e.session_id IS NOT NULL THEN (e.body ->> 'sessionVersion')::bigint END AS session_version,
               CASE WHEN e.directory IS NOT NULL
                    THEN (e.directory ->> 'kind') || ' ' || (e.directory ->> 'id') END AS listed,
               (e.directory ->> 'version')::bigint AS listed_version,
               e.hash = sha256(e.bytes)
               AND substring(e.bytes FOR 9) = '\x7b22626f6479223a7b'::bytea -- {"body":{
               AND substring(e.bytes FROM octet_length(e.bytes) - octet_length(e.tail) + 1) = convert_to(e.tail, 'UTF8')
               AND (e.body ->> 'id')::uuid = e.id
               AND (e.body ->> 'type') = e.type
               AND (e.actor ->> 'id') IS NOT DISTINCT FROM e.actor_id
               AND (e.body -> 'onBehalfOf' ->> 'id') IS NOT DISTINCT FROM e.on_behalf_of_id
               AND (e.body ->> 'session')::uuid IS NOT DISTINCT FROM e.session_id
               AND (e.action ->> 'id')::uuid IS NOT DISTINCT FROM e.action_id
               AND (e.action ->> 'version')::integer IS NOT DISTINCT FROM e.action_version
               AND (e.body ->> 'platform') IS NOT DISTINCT FROM e.platform
               AND (e.body ->> 'tool') IS NOT DISTINCT FROM e.tool
               AND (e.body ->> 'effect') IS NOT DISTINCT FROM e.effect
               AND (e.body ->> 'chain')::uuid IS NOT DISTINCT FROM e.chain
               AND (e.body ->> 'sourceChain')::uuid IS NOT DISTINCT FROM e.source_chain
               AND (e.body -> 'chainNumber' IS NULL OR e.chain_started <= e.seq)
               AND (e.payload IS NULL
                    OR (SELECT coalesce(bool_and(
                                 substring(v.bytes FOR 9) = '\x7b2273616c74223a22'::bytea -- {"salt":"
                                 AND substring(v.bytes FROM 42 FOR 10) = '\x222c2276616c7565223a'::bytea -- ","value":
                                 AND encode(sha256('\x636f756e7465727369676e2f636f6d6d69742f763100'::bytea -- countersign/commit/v1 NUL
                                                   || decode(substr(v.value, 10, 32), 'hex')
                                                   || substring(v.bytes FROM 52 FOR octet_length(v.bytes) - 52)), 'hex')
                                     IS NOT DISTINCT FROM CASE
                                       WHEN position('.' IN v.key) = 0 THEN e.body -> v.key ->> 'commit'
                                       -- Every entry has these; they need no list made for them.
                                       WHEN v.key = 'actor.profile' THEN e.actor -> 'profile' ->> 'commit'
                                       WHEN v.key = 'client.evidence' THEN e.body -> 'client' -> 'evidence' ->> 'commit'
                                       ELSE e.body #>> string_to_array(v.key || '.commit', '.') END), true)
                          FROM (SELECT x.key, x.value, convert_to(x.value, 'UTF8') AS bytes
                                  FROM json_each_text(e.payload) x OFFSET 0) v))
                 AS intact
          FROM (
            SELECT s.*, s.body -> 'actor' AS actor, s.body -> 'action' AS action, s.body -> 'directory' AS directory,
                   -- Of the chain that the entry says it is a step of.
                   CASE WHEN s.body -> 'chainNumber' IS NOT NULL
                        THEN (SELECT k.started_seq FROM ONLY public.oc_chain k
                               WHERE k.ledger = $1::text AND k.principal_id = s.actor_id
                                 AND k.on_behalf_of_id = coalesce(s.on_behalf_of_id, '')
                                 AND k.conversation = coalesce(s.body ->> 'conversation', '')
                                 AND k.number = (s.body ->> 'chainNumber')::integer AND k.chain = s.chain
                                 AND (k.started_seq < s.seq OR k.platform = s.platform)) END AS chain_started
              FROM (
                SELECT l.*, p.payload, l.entry::jsonb -> 'body' AS body, convert_to(l.entry, 'UTF8') AS bytes,
                       ',"ledger":"' || l.ledger || '","prevHash":"' || encode(l.prev_hash, 'hex') || '","recordedAt":"'
                         || to_char(l.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
                         || '","seq":"' || l.seq || '","v":1}' AS tail
                  FROM public.oc_audit_log l
                  LEFT JOIN ONLY public.oc_audit_payload p ON p.ledger = $1::text AND p.seq = l.seq AND p.seq BETWEEN $2::bigint - 1 AND $3::bigint
                 WHERE l.ledger = $1::text AND l.seq BETWEEN $2::bigint - 1 AND $3::bigint
                OFFSET 0
              ) s OFFSET 0
          ) e OFFSET 0
      ) r
    WINDOW w AS (ORDER BY r.seq)
  ) c
