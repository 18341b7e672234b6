-- Names the state rows of ledger $1 that do not say what their entries at $2 to $3 say; at most $4.
WITH entry AS NOT MATERIALIZED (
  SELECT e.seq, e.session_id, e.entry, CASE WHEN pg_input_is_valid(e.entry, 'jsonb') THEN e.entry::jsonb -> 'body' END AS body
    FROM public.oc_audit_log e WHERE e.ledger = $1::text
),
action AS (
  SELECT a.*, u.entry AS last, f.entry AS first
    FROM ONLY public.oc_action a
    LEFT JOIN LATERAL (SELECT CASE WHEN pg_input_is_valid(e.entry, 'jsonb') THEN e.entry::jsonb -> 'body' END AS entry
                         FROM public.oc_audit_log e WHERE e.ledger = $1::text AND e.seq = a.updated_seq LIMIT 1) u ON true
    LEFT JOIN LATERAL (SELECT CASE WHEN pg_input_is_valid(e.entry, 'jsonb') THEN e.entry::jsonb -> 'body' END AS entry
                         FROM public.oc_audit_log e WHERE e.ledger = $1::text AND e.seq = a.proposed_seq LIMIT 1) f ON true
   WHERE a.ledger = $1::text AND a.updated_seq BETWEEN $2::bigint AND $3::bigint
),
problem AS (
  SELECT a.updated_seq AS seq, 'oc_action ' || a.id || ': ' || c.name || ' is ' || coalesce(c.stored, 'nothing')
           || ', the entry says ' || coalesce(c.said, 'nothing') AS detail
    FROM action a, LATERAL (VALUES
           ('id', a.id::text, lower(a.last #>> '{action,id}')), ('version', a.version::text, a.last #>> '{action,version}'),
           ('status', a.status, a.last #>> '{action,status}'), ('approvals', a.approvals::text, a.last #>> '{action,approvals}'),
           ('expires_at', to_char(a.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
             to_char((a.last #>> '{action,expiresAt}')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
           ('grant_id', a.grant_id::text, lower(a.last #>> '{action,grant,id}')),
           ('grant_hash', encode(a.grant_hash, 'hex'), lower(a.last #>> '{action,grant,hash}')),
           ('grant_expires_at', to_char(a.grant_expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
             to_char((a.last #>> '{action,grant,expiresAt}')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
           ('agent_id', a.agent_id, a.first #>> '{actor,id}'),
           ('on_behalf_of_id', a.on_behalf_of_id, a.first #>> '{onBehalfOf,id}'), ('proposed_seq', a.proposed_seq::text, a.entries[1]::text),
           ('updated_seq', a.updated_seq::text, a.entries[a.version]::text),
           ('the number of entries', cardinality(a.entries)::text, a.version::text)) AS c(name, stored, said)
   WHERE c.stored IS DISTINCT FROM c.said
  UNION ALL
  SELECT e.seq, 'oc_action ' || e.action_id || ' does not list this entry as its version ' || e.action_version
    FROM public.oc_audit_log e
    LEFT JOIN ONLY public.oc_action a ON a.ledger = $1::text AND a.id = e.action_id
   WHERE e.ledger = $1::text AND e.seq BETWEEN $2::bigint AND $3::bigint AND e.action_version IS NOT NULL
     AND a.entries[e.action_version] IS DISTINCT FROM e.seq
  UNION ALL
  SELECT c.started_seq, 'oc_chain ' || c.chain || ' is not what the entry that started it says'
    FROM ONLY public.oc_chain c
    LEFT JOIN LATERAL (SELECT CASE WHEN pg_input_is_valid(e.entry, 'jsonb') THEN e.entry::jsonb -> 'body' END AS body
                         FROM public.oc_audit_log e WHERE e.ledger = $1::text AND e.seq = c.started_seq LIMIT 1) s ON true
   WHERE c.ledger = $1::text AND c.started_seq BETWEEN $2::bigint AND $3::bigint
     AND (c.chain::text, c.number::text, c.principal_id, c.on_behalf_of_id, c.conversation, c.platform) IS DISTINCT FROM
         (lower(s.body ->> 'chain'), s.body ->> 'chainNumber', s.body #>> '{actor,id}',
          coalesce(s.body #>> '{onBehalfOf,id}', ''), coalesce(s.body ->> 'conversation', ''),
          s.body ->> 'platform')
  UNION ALL
  SELECT x.updated_seq, 'oc_session ' || x.id || ': ' || c.name || ' is ' || coalesce(c.stored, 'nothing')
           || ', the entry says ' || coalesce(c.said, 'nothing')
    FROM ONLY public.oc_session x
    LEFT JOIN LATERAL (SELECT e.body FROM entry e WHERE e.seq = x.started_seq LIMIT 1) f ON true
    LEFT JOIN LATERAL (SELECT e.body FROM entry e WHERE e.seq = x.updated_seq LIMIT 1) u ON true,
         LATERAL (VALUES
           ('id', x.id::text, lower(f.body ->> 'session')), ('id', x.id::text, lower(u.body ->> 'session')),
           ('the version at started_seq', '1', f.body ->> 'sessionVersion'), ('version', x.version::text, u.body ->> 'sessionVersion'),
           ('ended', x.ended::text, (x.version > 1)::text), ('actor_id', x.actor_id, f.body #>> '{actor,id}'),
           ('on_behalf_of_id', x.on_behalf_of_id, f.body #>> '{onBehalfOf,id}'),
           ('conversation', x.conversation, coalesce(f.body ->> 'conversation', '')),
           ('expires_at', to_char(x.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
             to_char((f.body ->> 'sessionExpiresAt')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
         ) AS c(name, stored, said)
   WHERE x.ledger = $1::text AND x.updated_seq BETWEEN $2::bigint AND $3::bigint AND c.stored IS DISTINCT FROM c.said
  UNION ALL
  SELECT e.seq, 'oc_session ' || e.session_id || ' does not have this entry as its version ' || (e.body ->> 'sessionVersion')
    FROM entry e
   WHERE e.seq BETWEEN $2::bigint AND $3::bigint AND e.session_id IS NOT NULL AND e.body ? 'sessionVersion'
     AND NOT EXISTS (SELECT FROM ONLY public.oc_session x
                      WHERE x.ledger = $1::text AND x.id = e.session_id
                        AND CASE e.body ->> 'sessionVersion' WHEN '1' THEN x.started_seq ELSE x.updated_seq END = e.seq)
  UNION ALL
  SELECT x.updated_seq, 'oc_directory ' || x.kind || ' ' || x.id || ': ' || c.name || ' is ' || c.stored || ', the entry says '
           || coalesce(c.said, 'nothing')
    FROM ONLY public.oc_directory x
    LEFT JOIN LATERAL (SELECT e.body -> 'directory' AS said FROM entry e WHERE e.seq = x.first_seq LIMIT 1) f ON true
    LEFT JOIN LATERAL (SELECT e.body -> 'directory' AS said FROM entry e WHERE e.seq = x.updated_seq LIMIT 1) u ON true,
         LATERAL (VALUES
           ('kind', x.kind, f.said ->> 'kind'), ('kind', x.kind, u.said ->> 'kind'),
           ('id', x.id, f.said ->> 'id'), ('id', x.id, u.said ->> 'id'),
           ('the version at first_seq', '1', f.said ->> 'version'), ('version', x.version::text, u.said ->> 'version'),
           ('state', x.state::text, (u.said -> 'state')::text)) AS c(name, stored, said)
   WHERE x.ledger = $1::text AND x.updated_seq BETWEEN $2::bigint AND $3::bigint AND c.stored IS DISTINCT FROM c.said
  UNION ALL
  SELECT e.seq, 'oc_directory ' || concat_ws(' ', e.said ->> 'kind', e.said ->> 'id') || ' does not have this entry as its version '
           || (e.said ->> 'version')
    FROM (SELECT e.seq, e.body -> 'directory' AS said
            FROM entry e
           WHERE e.seq BETWEEN $2::bigint AND $3::bigint AND position('"directory":' IN e.entry) > 0
             AND jsonb_typeof(e.body -> 'directory') = 'object') e
    LEFT JOIN ONLY public.oc_directory x ON x.ledger = $1::text AND x.kind = e.said ->> 'kind' AND x.id = e.said ->> 'id'
   WHERE (x.version >= (e.said ->> 'version')::integer
          AND (x.version > (e.said ->> 'version')::integer OR x.updated_seq = e.seq)) IS NOT TRUE
)
SELECT p.seq::text AS seq, 'CONTENT_MISMATCH' AS verdict, string_agg(DISTINCT p.detail, '; ') AS detail
  FROM problem p GROUP BY p.seq ORDER BY p.seq LIMIT $4::integer
