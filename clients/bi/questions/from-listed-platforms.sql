-- Which writes have values of platforms that outsiders write to, such as mail or web pages?
-- One row a write and such a platform. Name yours in the first line.
WITH listed (platform) AS (VALUES ('mail'), ('web'))
SELECT e.write_utc, e.kind, e.source_platform, e.platform, e.tool, e.agent_id, e.shared_values, e.status, e.action_id
  FROM oc_bi.lineage_edges e
  JOIN listed l ON l.platform = e.source_platform
 ORDER BY e.kind, e.write_utc DESC, e.edge_key;
