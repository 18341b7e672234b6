-- Of the things of kinds $2 with ids $3 of ledger $1: the entries that made versions $4, and the positions of the next ones,
-- in that order.
SELECT s.seq::text AS seq, s.next_seq::text AS next_seq, e.entry
  FROM unnest($2::text[], $3::text[], $4::integer[]) WITH ORDINALITY AS n(kind, id, version, at)
  LEFT JOIN LATERAL (
    SELECT x.entries[n.version] AS seq, x.entries[n.version + 1] AS next_seq
      FROM ONLY public.oc_state x WHERE x.ledger = $1::text AND x.kind = n.kind AND x.id = n.id OFFSET 0) s ON true
  LEFT JOIN LATERAL (
    SELECT l.entry FROM public.oc_audit_log l WHERE l.ledger = $1::text AND l.seq = s.seq LIMIT 1) e ON true
 ORDER BY n.at
