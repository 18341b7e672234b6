-- The rows of oc_ledger_month that the entries of ledger $1 contradict, by their positions; 0 for what is missing. Each row names
-- the first entry of its month, the entry before it is of the month of the row before, and the last entry is of the last month:
-- time never runs backwards, so all others are where the rows say.
SELECT m.first_seq::text AS seq
  FROM (SELECT x.first_seq, x.starts, x.ends, pg_catalog.lag(x.starts) OVER w AS before_starts, pg_catalog.lag(x.ends) OVER w AS before_ends
          FROM ONLY public.oc_ledger_month x WHERE x.ledger = $1::text WINDOW w AS (ORDER BY x.first_seq)) m
  LEFT JOIN LATERAL (SELECT l.recorded_at FROM public.oc_audit_log l
                      WHERE l.ledger = $1::text AND l.seq = m.first_seq LIMIT 1) f ON true
  LEFT JOIN LATERAL (SELECT l.recorded_at FROM public.oc_audit_log l
                      WHERE l.ledger = $1::text AND l.seq = m.first_seq - 1 LIMIT 1) b ON true
 WHERE (m.first_seq = 1) <> (m.before_starts IS NULL)
    OR (f.recorded_at >= m.starts AND f.recorded_at < m.ends AND m.ends <= m.starts + interval '31 days') IS FALSE
    OR (m.before_ends <= m.starts AND b.recorded_at >= m.before_starts AND b.recorded_at < m.before_ends) IS FALSE
 UNION ALL
SELECT '0' FROM ONLY public.oc_ledger_head h
 WHERE h.ledger = $1::text AND h.seq > 0
   AND NOT EXISTS (SELECT FROM (SELECT x.starts, x.ends FROM ONLY public.oc_ledger_month x
                                 WHERE x.ledger = $1::text ORDER BY x.first_seq DESC LIMIT 1) t
                    WHERE h.recorded_at >= t.starts AND h.recorded_at < t.ends)
 ORDER BY seq DESC
