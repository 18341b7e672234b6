-- Which writes have values that nobody is known to have said and no read had: values that an agent made up, or has from elsewhere?
-- One row a write, those with the most such values first.
SELECT proposed_utc, platform, tool, agent_id, compared_values, unknown_values, person_values, status, action_id
  FROM oc_bi.actions
 WHERE unknown_values > 0
 ORDER BY unknown_values DESC, proposed_utc DESC, action_id;
