-- The state rows of ledger $1 whose last entry is at $2 to $3, against what that entry says. `versions` answers, over all
-- of them, what range.sql answers over the entries: a lost state row or a changed list of entries makes the two differ.
SELECT count(*) AS states, count(*) FILTER (WHERE s.intact IS NOT TRUE) AS bad, coalesce(bit_xor(s.versions), 0) AS versions
  FROM (
    SELECT a.updated_seq,
           a.version = u.action_version AND a.id = u.action_id AND cardinality(a.entries) = a.version
             AND a.entries[a.version] = a.updated_seq AND a.entries[1] = a.proposed_seq
             AND a.agent_id = f.actor_id AND f.action_id = a.id AND f.action_version = 1
             AND a.status = u.said ->> 'status' AND a.approvals = (u.said ->> 'approvals')::integer
             AND a.expires_at IS NOT DISTINCT FROM (u.said ->> 'expiresAt')::timestamptz
             AND a.grant_id IS NOT DISTINCT FROM (u.said #>> '{grant,id}')::uuid
             AND a.grant_hash IS NOT DISTINCT FROM decode(u.said #>> '{grant,hash}', 'hex')
             AND a.grant_expires_at IS NOT DISTINCT FROM (u.said #>> '{grant,expiresAt}')::timestamptz AS intact,
           (SELECT bit_xor(uuid_hash_extended(a.id, v.seq # (v.version << 48)))
              FROM unnest(a.entries) WITH ORDINALITY AS v(seq, version)) AS versions
      FROM ONLY public.oc_action a
      LEFT JOIN LATERAL (SELECT e.action_id, e.action_version, e.entry::jsonb #> '{body,action}' AS said
                           FROM public.oc_audit_log e WHERE e.ledger = $1::text AND e.seq = a.updated_seq LIMIT 1) u ON true
      LEFT JOIN LATERAL (SELECT e.actor_id, e.action_id, e.action_version
                           FROM public.oc_audit_log e WHERE e.ledger = $1::text AND e.seq = a.proposed_seq LIMIT 1) f ON true
     WHERE a.ledger = $1::text AND a.updated_seq BETWEEN $2::bigint AND $3::bigint
    OFFSET 0
  ) s
