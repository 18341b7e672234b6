-- Which ways did data take over several platforms?
-- One row a source, a destination and a number of writes between them: how many such ways there are. One of two writes and more was
-- carried on: what was written was read again and written elsewhere.
SELECT source_platform, platform, hops, kind, count(*) AS ways, max(crosses_region) AS crosses_region, max(to_utc) AS last_utc
  FROM oc_bi.lineage_paths
 GROUP BY source_platform, platform, hops, kind
 ORDER BY hops DESC, kind, ways DESC, source_platform, platform;
