-- How up to date are these tables?
-- One row a ledger: entries that are not in the tables yet, and why they do not go on, if they do not.
SELECT organization, ledger_region, seq, last_seq, entries_behind, entries_until_utc, problem
  FROM oc_bi.freshness
 ORDER BY organization, ledger_region;
