-- Who approved or denied what, and when?
-- One row a decision of a person, the latest first. Attempts that were refused are in refused-attempts.sql.
SELECT decided_utc, decided_by_id, delegated_by_id, kind, platform, tool, agent_id, channel, assurance, seconds_since_proposed, status,
       action_id
  FROM oc_bi.decisions
 WHERE kind <> 'REFUSED'
 ORDER BY decided_utc DESC, decision_key;
