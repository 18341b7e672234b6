-- What appends to ledgers $1 depend on, in one moment: where each ends, and whether its entries end there, too. Each lookup opens
-- the partitions from the head's month on, whatever their number.
SELECT l.ledger, h.recorded_at AS dated, clock_timestamp() AS now,
       CASE WHEN h.ledger IS NULL THEN 'its head is missing'
            WHEN NOT EXISTS (SELECT FROM oc_audit_log e
                              WHERE e.ledger = h.ledger AND e.seq = h.seq AND e.hash = h.hash AND e.recorded_at = h.recorded_at)
              THEN 'its head is at position ' || h.seq || ', where there is no such entry'
            WHEN EXISTS (SELECT FROM oc_audit_log e
                          WHERE e.ledger = h.ledger AND e.seq = h.seq + 1 AND e.recorded_at >= h.recorded_at)
              THEN 'its head is at position ' || h.seq || ', and entries follow it' END AS broken
  FROM unnest($1::text[]) AS l(ledger)
  LEFT JOIN oc_ledger_head h ON h.ledger = l.ledger
