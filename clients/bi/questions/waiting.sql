-- What waits for people now?
-- One row an action that is PENDING, the longest waiting first, with the approvals that it has and needs.
SELECT proposed_utc, platform, tool, agent_id, on_behalf_of_id, approvals, approvals_needed, policy_rule, action_id
  FROM oc_bi.actions
 WHERE status = 'PENDING'
 ORDER BY proposed_utc, action_id;
