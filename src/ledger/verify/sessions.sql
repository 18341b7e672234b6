-- How many rows of oc_session of ledger $1 do not say what their entries at $2 to $3 say, lost ones included.
-- state-rows.sql names them.
SELECT (SELECT count(*)
          FROM ONLY public.oc_session x
          LEFT JOIN public.oc_audit_log f ON f.ledger = $1::text AND f.seq = x.started_seq
          LEFT JOIN public.oc_audit_log u ON u.ledger = $1::text AND u.seq = x.updated_seq
         WHERE x.ledger = $1::text AND x.updated_seq BETWEEN $2::bigint AND $3::bigint
           AND (x.id, x.actor_id, x.on_behalf_of_id, '1', x.id, x.version::text, x.ended) IS DISTINCT FROM
               (f.session_id, f.actor_id, f.on_behalf_of_id, f.entry::jsonb #>> '{body,sessionVersion}', u.session_id,
                u.entry::jsonb #>> '{body,sessionVersion}', x.version > 1))
     + (SELECT count(*)
          FROM public.oc_audit_log e
         WHERE e.ledger = $1::text AND e.seq BETWEEN $2::bigint AND $3::bigint AND e.session_id IS NOT NULL
           AND e.type = 'SESSION_STARTED'
           AND NOT EXISTS (SELECT FROM ONLY public.oc_session x
                            WHERE x.ledger = $1::text AND x.id = e.session_id AND x.started_seq = e.seq)) AS bad
