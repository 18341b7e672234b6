-- What does the policy forbid, and who tries it?
-- One row a rule, tool and agent: how often, and when last.
SELECT coalesce(policy_rule, '(not in the catalog)') AS policy_rule, platform, tool, agent_id, count(*) AS times, max(proposed_utc) AS last_utc
  FROM oc_bi.actions
 WHERE status = 'BLOCKED'
 GROUP BY 1, 2, 3, 4
 ORDER BY times DESC, policy_rule, platform, tool, agent_id;
