-- The state rows of ledger $1 whose last entry is at $2 to $3, against what that entry says. `versions` answers, over all
-- of them, what range.sql answers over the entries: a lost state row or a changed list of entries makes the two differ.
SELECT count(*) AS states, count(*) FILTER (WHERE s.intact IS NOT TRUE) AS bad, coalesce(bit_xor(s.versions), 0) AS versions
  FROM (
    SELECT a.updated_seq,
           a.version = u.action_version AND a.id = u.action_id AND cardinality(a.entries) = a.version
             AND a.entries[a.version] = a.updated_seq AND a.entries[1] = a.proposed_seq
             AND a.agent_id = f.actor_id AND a.on_behalf_of_id IS NOT DISTINCT FROM f.on_behalf_of_id AND f.action_id = a.id AND f.action_version = 1
             -- RFC 8785 puts `action` first in the body and its members in this order, so the state's own text is how
             -- the entry begins. Where it has more members, or other spellings, it is read.
             AND CASE WHEN starts_with(u.entry, '{"body":{"action":{"approvals":' || a.approvals
                           || coalesce(',"expiresAt":"' || to_char(a.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"', '')
                           || coalesce(',"grant":{"expiresAt":"' || to_char(a.grant_expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
                                       || '","hash":"' || encode(a.grant_hash, 'hex') || '","id":"' || a.grant_id || '"}', '')
                           || ',"id":"' || a.id || '","status":"' || a.status || '","version":' || a.version || '}')
                           AND num_nonnulls(a.grant_id, a.grant_hash, a.grant_expires_at) IN (0, 3) AND position('"' IN a.status) = 0
                      THEN true
                      ELSE (SELECT a.status = s.said ->> 'status' AND a.approvals = (s.said ->> 'approvals')::integer
                                   AND a.expires_at IS NOT DISTINCT FROM (s.said ->> 'expiresAt')::timestamptz
                                   AND a.grant_id IS NOT DISTINCT FROM (s.said #>> '{grant,id}')::uuid
                                   AND a.grant_hash IS NOT DISTINCT FROM decode(s.said #>> '{grant,hash}', 'hex')
                                   AND a.grant_expires_at IS NOT DISTINCT FROM (s.said #>> '{grant,expiresAt}')::timestamptz
                              FROM (SELECT u.entry::jsonb #> '{body,action}' AS said OFFSET 0) s) END AS intact,
           (SELECT bit_xor(uuid_hash_extended(a.id, v.seq # (v.version << 48)))
              FROM unnest(a.entries) WITH ORDINALITY AS v(seq, version)) AS versions
      FROM ONLY public.oc_action a
      LEFT JOIN LATERAL (SELECT e.action_id, e.action_version, e.entry
                           FROM public.oc_audit_log e WHERE e.ledger = $1::text AND e.seq = a.updated_seq LIMIT 1) u ON true
      LEFT JOIN LATERAL (SELECT e.actor_id, e.on_behalf_of_id, e.action_id, e.action_version
                           FROM public.oc_audit_log e WHERE e.ledger = $1::text AND e.seq = a.proposed_seq LIMIT 1) f ON true
     WHERE a.ledger = $1::text AND a.updated_seq BETWEEN $2::bigint AND $3::bigint
    OFFSET 0
  ) s
