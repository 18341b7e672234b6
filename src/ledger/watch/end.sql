-- Where ledger $1 ends by its head row, and whether its entries end there, too. Each lookup opens the partitions from the head's
-- month on, whatever their number. No row: it has no head.
SELECT h.seq::text AS seq, encode(h.hash, 'hex') AS hash,
       EXISTS (SELECT FROM public.oc_audit_log e
                WHERE e.ledger = h.ledger AND e.seq = h.seq AND e.hash = h.hash AND e.recorded_at = h.recorded_at)
       AND NOT EXISTS (SELECT FROM public.oc_audit_log e
                        WHERE e.ledger = h.ledger AND e.seq = h.seq + 1 AND e.recorded_at >= h.recorded_at) AS sound
  FROM ONLY public.oc_ledger_head h WHERE h.ledger = $1::text
