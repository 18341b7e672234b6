-- Where ledger $1 ends, by everything that knows: the head row, the entries, and what only entries leave behind.
-- One statement, so that all of it is one moment.
SELECT h.seq::text AS head_seq, encode(h.hash, 'hex') AS head_hash, h.recorded_at = l.recorded_at AS head_dated,
       (SELECT max(e.seq) FROM public.oc_audit_log e WHERE e.ledger = $1::text)::text AS last_seq,
       encode(l.hash, 'hex') AS entry_hash,
       greatest((SELECT max(p.seq) FROM public.oc_audit_payload p WHERE p.ledger = $1::text),
                (SELECT max(s.updated_seq) FROM ONLY public.oc_state s WHERE s.ledger = $1::text),
                (SELECT max(d.seq) FROM ONLY public.oc_lineage_edge d WHERE d.ledger = $1::text))::text AS trace_seq,
       -- No entry has such a position: with none there, no row of entries is read that these belong to.
       (SELECT min(d.seq) FROM ONLY public.oc_lineage_edge d
         WHERE d.ledger = $1::text AND d.seq < 1
           AND NOT EXISTS (SELECT FROM public.oc_audit_log e WHERE e.ledger = $1::text AND e.seq = d.seq))::text AS stray_edge
  FROM (SELECT 1) AS always
  LEFT JOIN ONLY public.oc_ledger_head h ON h.ledger = $1::text
  LEFT JOIN LATERAL (SELECT e.hash, e.recorded_at FROM public.oc_audit_log e
                      WHERE e.ledger = $1::text AND e.seq = h.seq ORDER BY e.hash LIMIT 1) l ON true
