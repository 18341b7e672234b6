-- The rows of oc_directory of ledger $1 whose last entry is at $2 to $3, against what their entries say. `directory`
-- answers, over all of them, what range.sql answers over the entries of a whole ledger: a lost row, or one set back to an
-- earlier version, makes the two differ. state-rows.sql names them.
SELECT count(*) FILTER (WHERE d.intact IS NOT TRUE) AS bad,
       coalesce(bit_xor(hashtextextended(d.kind || ' ' || d.id, d.version)), 0) AS directory
  FROM (
    SELECT x.kind, x.id, x.version,
           (x.kind, x.id, x.version::text, x.state, x.kind, x.id, '1') IS NOT DISTINCT FROM
             (u.said ->> 'kind', u.said ->> 'id', u.said ->> 'version', u.said -> 'state',
              f.said ->> 'kind', f.said ->> 'id', f.said ->> 'version') AS intact
      FROM ONLY public.oc_directory x
      LEFT JOIN LATERAL (SELECT e.entry::jsonb #> '{body,directory}' AS said
                           FROM public.oc_audit_log e WHERE e.ledger = $1::text AND e.seq = x.updated_seq LIMIT 1) u ON true
      LEFT JOIN LATERAL (SELECT e.entry::jsonb #> '{body,directory}' AS said
                           FROM public.oc_audit_log e WHERE e.ledger = $1::text AND e.seq = x.first_seq LIMIT 1) f ON true
     WHERE x.ledger = $1::text AND x.updated_seq BETWEEN $2::bigint AND $3::bigint
    OFFSET 0
  ) d
