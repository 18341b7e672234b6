-- The state rows of ledger $1 of the things of kinds $2 with ids $3, in that order; empty where there is none.
SELECT s.*
  FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS n(kind, id, at)
  LEFT JOIN LATERAL (
    SELECT x.kind, x.id, x.version, x.state, x.status, x.expires_at, x.actor_id, x.on_behalf_of_id, x.conversation,
           x.first_seq, x.updated_seq, x.entries, x.hash
      FROM ONLY public.oc_state x WHERE x.ledger = $1::text AND x.kind = n.kind AND x.id = n.id OFFSET 0) s ON true
 ORDER BY n.at
