-- Which agents do most?
-- One row an agent and the person it acts for: reads, writes, how many writes were denied or blocked, and how many failed.
SELECT agent_id, on_behalf_of_id, count(*) AS actions,
       count(*) FILTER (WHERE effect = 'READ') AS reads,
       count(*) FILTER (WHERE effect = 'WRITE') AS writes,
       count(*) FILTER (WHERE status IN ('DENIED', 'BLOCKED')) AS refused,
       count(*) FILTER (WHERE status IN ('FAILED', 'AMBIGUOUS')) AS failed
  FROM oc_bi.actions
 GROUP BY agent_id, on_behalf_of_id
 ORDER BY actions DESC, agent_id, on_behalf_of_id;
