-- How much do agents do, day by day?
-- One row a day (UTC) and platform.
SELECT date_trunc('day', proposed_utc)::date AS day, platform, count(*) AS actions,
       count(*) FILTER (WHERE effect = 'WRITE') AS writes
  FROM oc_bi.actions
 GROUP BY 1, 2
 ORDER BY day DESC, platform;
