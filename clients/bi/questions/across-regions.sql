-- Which writes carried, or may have carried, data into another region?
-- One row a write and source, first those with values of the source, and of these the latest.
SELECT write_utc, kind, source_platform, source_region, platform, platform_region, tool, agent_id, shared_values, strength, status, action_id
  FROM oc_bi.lineage_edges
 WHERE crosses_region = 1
 ORDER BY kind, write_utc DESC, edge_key;
