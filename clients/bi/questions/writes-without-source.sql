-- Which writes have no source that is known by their values?
-- One row a tool: its writes, those with OBSERVED sources, those with POSSIBLE ones alone, and those without any.
SELECT platform, tool, count(*) AS writes,
       count(*) FILTER (WHERE observed_sources > 0) AS observed,
       count(*) FILTER (WHERE observed_sources = 0 AND possible_sources > 0) AS only_possible,
       count(*) FILTER (WHERE observed_sources = 0 AND possible_sources = 0) AS without
  FROM oc_bi.actions
 WHERE effect = 'WRITE'
 GROUP BY platform, tool
 ORDER BY writes DESC, platform, tool;
