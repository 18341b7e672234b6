-- Who approved alone in an emergency, and has somebody looked into it?
-- One row such an action, those that nobody has reviewed first.
SELECT d.decided_utc, d.decided_by_id, a.platform, a.tool, a.agent_id, a.status, coalesce(a.break_glass_review, 'UNREVIEWED') AS review, a.action_id
  FROM oc_bi.decisions d
  JOIN oc_bi.actions a ON a.action_id = d.action_id
 WHERE d.kind = 'BREAK_GLASS'
 ORDER BY a.break_glass_review IS NULL DESC, d.decided_utc DESC;
