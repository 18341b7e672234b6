-- How many routing chains of ledger $1 started at $2 to $3. That each of them is what an entry says is range.sql's to say:
-- it finds the chain of each entry, and counts the entries that start one.
SELECT count(*) AS chains
  FROM ONLY public.oc_chain c
 WHERE c.ledger = $1::text AND c.started_seq BETWEEN $2::bigint AND $3::bigint
