-- The routing chains of ledger $1 that started at $2 to $3, against the entry that started each.
SELECT count(*) AS chains, count(*) FILTER (WHERE s.intact IS NOT TRUE) AS bad
  FROM (
    SELECT c.chain = e.chain AND c.principal_id = e.actor_id AND c.platform = e.platform
             AND c.number = (e.body ->> 'chainNumber')::integer
             AND c.conversation = coalesce(e.body ->> 'conversation', '') AS intact
      FROM ONLY public.oc_chain c
      LEFT JOIN LATERAL (SELECT l.chain, l.actor_id, l.platform, l.entry::jsonb -> 'body' AS body
                           FROM public.oc_audit_log l WHERE l.ledger = $1::text AND l.seq = c.started_seq LIMIT 1) e ON true
     WHERE c.ledger = $1::text AND c.started_seq BETWEEN $2::bigint AND $3::bigint
    OFFSET 0
  ) s
