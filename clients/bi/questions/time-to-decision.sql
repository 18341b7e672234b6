-- How long do actions wait for people?
-- One row a platform and tool: decisions that settled an action, and seconds from the proposal: the median, that of 95 in 100, the longest.
SELECT t.platform, t.tool, count(*) AS decided,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY a.decision_seconds)::numeric(14, 3) AS median_seconds,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY a.decision_seconds)::numeric(14, 3) AS p95_seconds,
       max(a.decision_seconds) AS longest_seconds
  FROM oc_bi.fact_action a
  JOIN oc_bi.dim_tool t ON t.tool_key = a.tool_key
 WHERE a.decision_seconds IS NOT NULL
 GROUP BY t.platform, t.tool
 ORDER BY decided DESC, t.platform, t.tool;
