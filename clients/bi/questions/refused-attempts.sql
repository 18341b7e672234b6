-- Who tried to decide and was refused, and why?
-- One row a person or agent and reason: how often, on how many actions, and when last.
SELECT decided_by_id, refusal, sum(times)::bigint AS times, count(DISTINCT action_id) AS actions, max(decided_utc) AS last_utc
  FROM oc_bi.decisions
 WHERE kind = 'REFUSED'
 GROUP BY decided_by_id, refusal
 ORDER BY times DESC, decided_by_id, refusal;
