-- The rows of oc_session of ledger $1 whose last entry is at $2 to $3, against what their entries say. `sessions` answers,
-- over the starts and ends at $2 to $3, what range.sql answers over the entries: a lost row, or one set back to its start,
-- makes the two differ. state-rows.sql names them.
SELECT count(*) FILTER (WHERE s.updated_seq BETWEEN $2::bigint AND $3::bigint AND s.intact IS NOT TRUE) AS bad,
       coalesce(bit_xor(CASE WHEN s.started_seq BETWEEN $2::bigint AND $3::bigint
                             THEN uuid_hash_extended(s.id, s.started_seq # (1::bigint << 48)) ELSE 0 END
                        # CASE WHEN s.version > 1 AND s.updated_seq BETWEEN $2::bigint AND $3::bigint
                               THEN uuid_hash_extended(s.id, s.updated_seq # (s.version << 48)) ELSE 0 END), 0) AS sessions
  FROM (
    SELECT x.id, x.version::bigint, x.started_seq, x.updated_seq,
           (x.id, x.actor_id, x.on_behalf_of_id, x.conversation, x.expires_at, '1', x.id, x.version::text, x.ended)
             IS NOT DISTINCT FROM
           (f.session_id, f.actor_id, f.on_behalf_of_id, coalesce(f.body ->> 'conversation', ''),
            (f.body ->> 'sessionExpiresAt')::timestamptz, f.body ->> 'sessionVersion', u.session_id,
            u.body ->> 'sessionVersion', x.version > 1) AS intact
      FROM ONLY public.oc_session x
      LEFT JOIN LATERAL (SELECT e.session_id, e.actor_id, e.on_behalf_of_id, e.entry::jsonb -> 'body' AS body
                           FROM public.oc_audit_log e WHERE e.ledger = $1::text AND e.seq = x.started_seq LIMIT 1) f ON true
      LEFT JOIN LATERAL (SELECT e.session_id, e.entry::jsonb -> 'body' AS body
                           FROM public.oc_audit_log e WHERE e.ledger = $1::text AND e.seq = x.updated_seq LIMIT 1) u ON true
     WHERE x.ledger = $1::text
       AND (x.updated_seq BETWEEN $2::bigint AND $3::bigint OR x.started_seq BETWEEN $2::bigint AND $3::bigint)
    OFFSET 0
  ) s
