-- The hashes of the entries of ledger $1 at positions $2.
SELECT l.seq::text AS seq, encode(l.hash, 'hex') AS hash
  FROM public.oc_audit_log l WHERE l.ledger = $1::text AND l.seq = ANY ($2::bigint[]) ORDER BY l.seq, l.hash
