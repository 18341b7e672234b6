-- Of the things of kinds $2 with ids $3 of ledger $1: the entries that made versions $4, and the positions of the next ones,
-- in that order. Where $5 is true also the first entry, and those of types $6 up to the version: 1,000 of them at most, which is
-- more than any policy asks for.
SELECT s.seq::text AS seq, s.next_seq::text AS next_seq, e.entry, h.history
  FROM unnest($2::text[], $3::text[], $4::integer[], $5::boolean[]) WITH ORDINALITY AS n(kind, id, version, judged, at)
  LEFT JOIN LATERAL (
    SELECT x.entries[n.version] AS seq, x.entries[n.version + 1] AS next_seq, x.entries[1:n.version] AS entries
      FROM ONLY public.oc_state x WHERE x.ledger = $1::text AND x.kind = n.kind AND x.id = n.id OFFSET 0) s ON true
  LEFT JOIN LATERAL (
    SELECT l.entry FROM public.oc_audit_log l WHERE l.ledger = $1::text AND l.seq = s.seq LIMIT 1) e ON true
  LEFT JOIN LATERAL (
    SELECT pg_catalog.array_agg(c.entry ORDER BY c.seq) AS history
      FROM (SELECT l.seq, l.entry FROM public.oc_audit_log l
             WHERE n.judged AND l.ledger = $1::text AND l.seq = ANY (s.entries)
               AND (l.seq = s.entries[1] OR l.type = ANY ($6::text[])) ORDER BY l.seq LIMIT 1001) c) h ON true
 ORDER BY n.at
