-- Where did the data of each platform go?
-- One row a source and a destination: writes with values of the source (OBSERVED), further writes for which it is only possible, by time
-- (POSSIBLE), and how many of both were carried out. Filter by source_platform for one platform.
SELECT source_platform, platform, count(DISTINCT action_id) FILTER (WHERE kind = 'OBSERVED') AS observed_writes,
       count(DISTINCT action_id) - count(DISTINCT action_id) FILTER (WHERE kind = 'OBSERVED') AS possible_writes,
       count(DISTINCT action_id) FILTER (WHERE status = 'SUCCEEDED') AS carried_out, max(write_utc) AS last_utc
  FROM oc_bi.lineage_edges
 GROUP BY source_platform, platform
 ORDER BY observed_writes DESC, possible_writes DESC, source_platform, platform;
