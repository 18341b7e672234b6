-- Schema oc_bi: small tables and views for BI tools, which a job derives from entries (src/ledger/reporting). Nothing erasable is in them.
--
-- Logins of oc_bi may read it, each the rows of its organizations (oc_bi_access): by the name it logged in with, which no setting and no
-- SET ROLE changes. Types are those that drivers show well: texts of at most 255 characters, times in UTC without a zone, UUIDs and
-- hashes as text, 0 and 1 for no and yes.

CREATE SCHEMA oc_bi AUTHORIZATION oc_owner;
SET LOCAL ROLE oc_owner;
GRANT USAGE ON SCHEMA oc_bi TO oc_bi, oc_app;
COMMENT ON SCHEMA oc_bi IS 'For BI tools. Columns are described in oc_bi.dictionary, its version is in oc_bi.version.';

-- Up to where the job has derived rows of a ledger.
CREATE TABLE oc_work.bi_position (
  ledger      text        PRIMARY KEY,
  -- The latest entry that was derived from; 0: none yet.
  seq         bigint      NOT NULL DEFAULT 0 CHECK (seq >= 0),
  hash        bytea       CHECK (octet_length(hash) = 32),
  recorded_at timestamptz,
  -- Of the derivation: rows of an earlier one are deleted and derived again.
  format      integer     NOT NULL,
  tried_at    timestamptz NOT NULL DEFAULT '-infinity',
  -- Why the ledger cannot be read; null: it can.
  problem     text,
  CHECK ((seq = 0) = (hash IS NULL))
);
COMMENT ON TABLE oc_work.bi_position IS 'How far the tables of oc_bi are. Without a row they are derived from the first entry on.';

-- The organizations of the login. With the rights of its owner: the login cannot read, or write, who reads what.
CREATE FUNCTION oc_bi.organizations() RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
RETURN (SELECT coalesce(array_agg(a.organization), '{}') FROM public.oc_bi_access a WHERE a.role_name = session_user::text);
REVOKE ALL ON FUNCTION oc_bi.organizations() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_bi.organizations() TO oc_bi;

CREATE TABLE oc_bi.dim_principal (
  principal_key  varchar(32)  PRIMARY KEY,
  organization   varchar(63)  NOT NULL,
  ledger_region  varchar(63)  NOT NULL,
  principal_id   varchar(255) NOT NULL,
  kind           varchar(7)   NOT NULL,
  owner_key      varchar(32)  REFERENCES oc_bi.dim_principal,
  is_suspended   smallint     NOT NULL DEFAULT 0,
  first_seen_utc timestamp    NOT NULL,
  last_seen_utc  timestamp    NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX dim_principal_ledger ON oc_bi.dim_principal (organization, ledger_region);
CREATE INDEX dim_principal_owner ON oc_bi.dim_principal (owner_key) WHERE owner_key IS NOT NULL;

CREATE TABLE oc_bi.dim_platform (
  platform_key    varchar(32)  PRIMARY KEY,
  organization    varchar(63)  NOT NULL,
  ledger_region   varchar(63)  NOT NULL,
  platform        varchar(255) NOT NULL,
  platform_region varchar(255) NOT NULL,
  first_seen_utc  timestamp    NOT NULL,
  last_seen_utc   timestamp    NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX dim_platform_ledger ON oc_bi.dim_platform (organization, ledger_region);

CREATE TABLE oc_bi.dim_tool (
  tool_key       varchar(32)  PRIMARY KEY,
  organization   varchar(63)  NOT NULL,
  ledger_region  varchar(63)  NOT NULL,
  platform_key   varchar(32)  NOT NULL REFERENCES oc_bi.dim_platform,
  platform       varchar(255) NOT NULL,
  tool           varchar(255) NOT NULL,
  effect         varchar(5)   NOT NULL,
  first_seen_utc timestamp    NOT NULL,
  last_seen_utc  timestamp    NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX dim_tool_ledger ON oc_bi.dim_tool (organization, ledger_region);
CREATE INDEX dim_tool_platform ON oc_bi.dim_tool (platform_key);

CREATE TABLE oc_bi.fact_action (
  action_id             varchar(36)  PRIMARY KEY,
  organization          varchar(63)  NOT NULL,
  ledger_region         varchar(63)  NOT NULL,
  proposed_seq          bigint       NOT NULL,
  proposed_hash         varchar(64)  NOT NULL,
  proposed_utc          timestamp    NOT NULL,
  agent_key             varchar(32)  NOT NULL REFERENCES oc_bi.dim_principal,
  on_behalf_of_key      varchar(32)  REFERENCES oc_bi.dim_principal,
  platform_key          varchar(32)  NOT NULL REFERENCES oc_bi.dim_platform,
  tool_key              varchar(32)  NOT NULL REFERENCES oc_bi.dim_tool,
  effect                varchar(5)   NOT NULL,
  platform_region       varchar(255) NOT NULL,
  target_region         varchar(255),
  client                varchar(255),
  model                 varchar(255),
  chain_id              varchar(36)  NOT NULL,
  source_chain_id       varchar(36),
  policy_version        bigint       NOT NULL,
  policy_outcome        varchar(7)   NOT NULL,
  policy_rule           varchar(255),
  approvals_needed      bigint       NOT NULL,
  approvals             bigint       NOT NULL,
  status                varchar(9)   NOT NULL,
  status_seq            bigint       NOT NULL,
  status_utc            timestamp    NOT NULL,
  first_decided_utc     timestamp,
  decided_utc           timestamp,
  started_utc           timestamp,
  completed_seq         bigint,
  completed_utc         timestamp,
  latency_ms            bigint,
  first_decision_seconds numeric(14, 3) GENERATED ALWAYS AS (extract(epoch FROM first_decided_utc - proposed_utc)) STORED,
  decision_seconds      numeric(14, 3) GENERATED ALWAYS AS (extract(epoch FROM decided_utc - proposed_utc)) STORED,
  is_break_glass        smallint     NOT NULL DEFAULT 0,
  break_glass_review    varchar(11),
  observed_sources      integer      NOT NULL,
  possible_sources      integer      NOT NULL,
  omitted_sources       bigint       NOT NULL,
  unread_regions        integer      NOT NULL,
  compared_values       bigint,
  person_values         bigint,
  unknown_values        bigint
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX fact_action_proposed ON oc_bi.fact_action (organization, ledger_region, proposed_seq);
CREATE INDEX fact_action_completed ON oc_bi.fact_action (organization, ledger_region, completed_seq) WHERE completed_seq IS NOT NULL;
CREATE INDEX fact_action_time ON oc_bi.fact_action (organization, proposed_utc);
CREATE INDEX fact_action_agent ON oc_bi.fact_action (agent_key);
CREATE INDEX fact_action_person ON oc_bi.fact_action (on_behalf_of_key) WHERE on_behalf_of_key IS NOT NULL;
CREATE INDEX fact_action_platform ON oc_bi.fact_action (platform_key);
CREATE INDEX fact_action_tool ON oc_bi.fact_action (tool_key);
CREATE INDEX fact_action_chain ON oc_bi.fact_action (chain_id);

CREATE TABLE oc_bi.fact_decision (
  decision_key     varchar(64) PRIMARY KEY,
  organization     varchar(63) NOT NULL,
  ledger_region    varchar(63) NOT NULL,
  seq              bigint      NOT NULL,
  decided_utc      timestamp   NOT NULL,
  action_id        varchar(36) NOT NULL REFERENCES oc_bi.fact_action,
  decided_by_key   varchar(32) NOT NULL REFERENCES oc_bi.dim_principal,
  delegated_by_key varchar(32) REFERENCES oc_bi.dim_principal,
  kind             varchar(11) NOT NULL,
  verdict          varchar(11),
  channel          varchar(7),
  assurance        varchar(255),
  refusal          varchar(255),
  times            bigint      NOT NULL,
  shown_utc        timestamp,
  seconds_since_proposed numeric(14, 3) NOT NULL,
  seconds_since_shown numeric(14, 3) GENERATED ALWAYS AS (extract(epoch FROM decided_utc - shown_utc)) STORED
);
CREATE UNIQUE INDEX fact_decision_place ON oc_bi.fact_decision (organization, ledger_region, seq);
CREATE INDEX fact_decision_time ON oc_bi.fact_decision (organization, decided_utc);
CREATE INDEX fact_decision_action ON oc_bi.fact_decision (action_id);
CREATE INDEX fact_decision_by ON oc_bi.fact_decision (decided_by_key);
CREATE INDEX fact_decision_delegated ON oc_bi.fact_decision (delegated_by_key) WHERE delegated_by_key IS NOT NULL;

CREATE TABLE oc_bi.fact_lineage_edge (
  edge_key            varchar(64)  PRIMARY KEY,
  organization        varchar(63)  NOT NULL,
  ledger_region       varchar(63)  NOT NULL,
  kind                varchar(8)   NOT NULL,
  number              integer      NOT NULL,
  action_id           varchar(36)  NOT NULL REFERENCES oc_bi.fact_action,
  write_seq           bigint       NOT NULL,
  write_utc           timestamp    NOT NULL,
  chain_id            varchar(36)  NOT NULL,
  platform_key        varchar(32)  NOT NULL REFERENCES oc_bi.dim_platform,
  platform_region     varchar(255) NOT NULL,
  source_chain_id     varchar(36),
  source_platform_key varchar(32)  REFERENCES oc_bi.dim_platform,
  source_region       varchar(255),
  source_ledger       varchar(255) NOT NULL,
  source_seq          bigint,
  source_hash         varchar(64),
  source_action_id    varchar(36)  REFERENCES oc_bi.fact_action,
  shared_values       bigint,
  whole_values        bigint,
  person_values       bigint,
  exact_values        bigint,
  strength            bigint,
  reads               bigint,
  is_unknown          smallint     NOT NULL,
  crosses_platform    smallint     NOT NULL,
  crosses_region      smallint     NOT NULL
);
CREATE INDEX fact_lineage_edge_time ON oc_bi.fact_lineage_edge (organization, write_utc);
CREATE INDEX fact_lineage_edge_action ON oc_bi.fact_lineage_edge (action_id);
CREATE INDEX fact_lineage_edge_source ON oc_bi.fact_lineage_edge (source_chain_id, write_seq);
CREATE INDEX fact_lineage_edge_chain ON oc_bi.fact_lineage_edge (chain_id, write_seq);
CREATE INDEX fact_lineage_edge_source_action ON oc_bi.fact_lineage_edge (source_action_id) WHERE source_action_id IS NOT NULL;
CREATE INDEX fact_lineage_edge_platform ON oc_bi.fact_lineage_edge (platform_key);
CREATE INDEX fact_lineage_edge_source_platform ON oc_bi.fact_lineage_edge (source_platform_key);

-- The boundary. And no statistics of columns: EXPLAIN would tell with them how often a value is in rows of other organizations.
DO $$
DECLARE
  name text;
  attribute record;
BEGIN
  FOREACH name IN ARRAY ARRAY['dim_principal', 'dim_platform', 'dim_tool', 'fact_action', 'fact_decision', 'fact_lineage_edge'] LOOP
    EXECUTE format('ALTER TABLE oc_bi.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY oc_report ON oc_bi.%I FOR SELECT TO oc_bi
                    USING (organization::text = ANY ((SELECT oc_bi.organizations())::text[]))', name);
    EXECUTE format('CREATE POLICY oc_write ON oc_bi.%I TO oc_app USING (true) WITH CHECK (true)', name);
    EXECUTE format('GRANT SELECT ON oc_bi.%I TO oc_bi', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON oc_bi.%I TO oc_app', name);
    FOR attribute IN SELECT attname FROM pg_attribute WHERE attrelid = format('oc_bi.%I', name)::regclass AND attnum > 0 LOOP
      EXECUTE format('ALTER TABLE oc_bi.%I ALTER COLUMN %I SET STATISTICS 0', name, attribute.attname);
    END LOOP;
  END LOOP;
END
$$;

-- Views over these tables read with the rights of the login, so that the policies hold for them as well.
CREATE VIEW oc_bi.actions WITH (security_barrier, security_invoker) AS
SELECT a.action_id, a.organization, a.ledger_region, a.proposed_utc, g.principal_id AS agent_id, p.principal_id AS on_behalf_of_id,
       t.platform, t.tool, a.effect, a.platform_region, a.target_region, a.client, a.model, a.policy_outcome, a.policy_rule,
       a.approvals_needed, a.approvals, a.status, a.status_utc, a.decided_utc, a.decision_seconds, a.started_utc, a.completed_utc,
       a.latency_ms, a.is_break_glass, a.break_glass_review, a.observed_sources, a.possible_sources,
       a.unread_regions, a.compared_values, a.person_values, a.unknown_values, a.proposed_seq
  FROM oc_bi.fact_action a
  JOIN oc_bi.dim_tool t ON t.tool_key = a.tool_key
  JOIN oc_bi.dim_principal g ON g.principal_key = a.agent_key
  LEFT JOIN oc_bi.dim_principal p ON p.principal_key = a.on_behalf_of_key;

CREATE VIEW oc_bi.decisions WITH (security_barrier, security_invoker) AS
SELECT d.decision_key, d.organization, d.ledger_region, d.decided_utc, d.kind, d.verdict, b.principal_id AS decided_by_id,
       l.principal_id AS delegated_by_id, d.channel, d.assurance, d.refusal, d.times, d.seconds_since_proposed, d.seconds_since_shown,
       d.action_id, g.principal_id AS agent_id, t.platform, t.tool, a.effect, a.policy_rule, a.status, d.seq
  FROM oc_bi.fact_decision d
  JOIN oc_bi.fact_action a ON a.action_id = d.action_id
  JOIN oc_bi.dim_tool t ON t.tool_key = a.tool_key
  JOIN oc_bi.dim_principal g ON g.principal_key = a.agent_key
  JOIN oc_bi.dim_principal b ON b.principal_key = d.decided_by_key
  LEFT JOIN oc_bi.dim_principal l ON l.principal_key = d.delegated_by_key;

CREATE VIEW oc_bi.lineage_edges WITH (security_barrier, security_invoker) AS
SELECT e.edge_key, e.organization, e.ledger_region, e.kind, e.write_utc, s.platform AS source_platform, e.source_region,
       x.tool AS source_tool, p.platform, e.platform_region, t.tool, a.status, g.principal_id AS agent_id, e.shared_values,
       e.whole_values, e.person_values, e.strength, e.reads, e.is_unknown, e.crosses_platform, e.crosses_region, e.action_id, e.source_action_id,
       e.chain_id, e.source_chain_id, e.source_ledger, e.source_seq, e.write_seq
  FROM oc_bi.fact_lineage_edge e
  LEFT JOIN oc_bi.dim_platform s ON s.platform_key = e.source_platform_key
  JOIN oc_bi.dim_platform p ON p.platform_key = e.platform_key
  JOIN oc_bi.fact_action a ON a.action_id = e.action_id
  JOIN oc_bi.dim_tool t ON t.tool_key = a.tool_key
  JOIN oc_bi.dim_principal g ON g.principal_key = a.agent_key
  LEFT JOIN oc_bi.fact_action o ON o.action_id = e.source_action_id
  LEFT JOIN oc_bi.dim_tool x ON x.tool_key = o.tool_key;

-- A path goes on where the chain that was written to was read later on, and that read is a source of another write. The number of rows
-- is limited, and shorter paths come first.
CREATE VIEW oc_bi.lineage_paths WITH (security_barrier, security_invoker) AS
WITH RECURSIVE path AS (
  SELECT e.organization, e.ledger_region, 1 AS hops, e.kind, e.edge_key AS first_edge_key, e.edge_key AS last_edge_key, e.action_id,
         e.source_action_id, e.source_platform_key, e.source_region, e.platform_key, e.platform_region, e.crosses_region, e.source_seq,
         e.write_seq, e.write_utc AS from_utc, e.write_utc AS to_utc, e.chain_id, ARRAY[coalesce(e.source_chain_id, ''), e.chain_id]::text[] AS chains
    FROM oc_bi.fact_lineage_edge e
  UNION ALL
  SELECT p.organization, p.ledger_region, p.hops + 1, (CASE WHEN e.kind = p.kind THEN p.kind ELSE 'POSSIBLE' END)::varchar(8), p.first_edge_key,
         e.edge_key, e.action_id, p.source_action_id, p.source_platform_key, p.source_region, e.platform_key, e.platform_region,
         greatest(p.crosses_region, e.crosses_region), p.source_seq, e.write_seq, p.from_utc, e.write_utc, e.chain_id,
         p.chains || e.chain_id::text
    FROM path p
    JOIN oc_bi.fact_lineage_edge e ON e.source_chain_id = p.chain_id AND e.organization = p.organization
                                  AND e.ledger_region = p.ledger_region AND e.write_seq > p.write_seq
                                  AND e.source_ledger = concat(p.organization, '/', p.ledger_region)
                                  AND coalesce(e.source_seq, e.write_seq) > p.write_seq
   WHERE p.hops < 5 AND e.chain_id <> ALL (p.chains)
)
SELECT p.organization, p.ledger_region, p.hops, p.kind, s.platform AS source_platform, p.source_region, d.platform,
       p.platform_region, p.crosses_region, p.from_utc, p.to_utc, p.source_action_id, p.action_id, p.first_edge_key, p.last_edge_key
  FROM (SELECT * FROM path LIMIT 100000) p
  LEFT JOIN oc_bi.dim_platform s ON s.platform_key = p.source_platform_key
  JOIN oc_bi.dim_platform d ON d.platform_key = p.platform_key;

-- With the rights of its owner, and so with the organizations as a condition: heads of ledgers have no policies.
CREATE VIEW oc_bi.freshness WITH (security_barrier) AS
SELECT split_part(h.ledger, '/', 1)::varchar(63) AS organization, split_part(h.ledger, '/', 2)::varchar(63) AS ledger_region,
       coalesce(p.seq, 0) AS seq, h.seq AS last_seq, greatest(h.seq - coalesce(p.seq, 0), 0) AS entries_behind,
       (p.recorded_at AT TIME ZONE 'UTC') AS entries_until_utc, (h.recorded_at AT TIME ZONE 'UTC') AS last_entry_utc,
       left(p.problem, 255)::varchar(255) AS problem
  FROM public.oc_ledger_head h
  LEFT JOIN oc_work.bi_position p ON p.ledger = h.ledger
 WHERE split_part(h.ledger, '/', 1) = ANY ((SELECT oc_bi.organizations())::text[]);

CREATE VIEW oc_bi.version WITH (security_barrier) AS
SELECT 1 AS version, 'Columns and views may be added to a version, and keep their meaning. What would break a query gets a schema of its own, such as oc_bi_2.'::varchar(255) AS rule;

CREATE VIEW oc_bi.dictionary WITH (security_barrier) AS
SELECT c.relname::varchar(63) AS object, CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END::varchar(5) AS object_kind,
       a.attnum::integer AS position, a.attname::varchar(63) AS column_name,
       format_type(a.atttypid, a.atttypmod)::varchar(63) AS data_type,
       CASE WHEN k.contype = 'p' THEN 'PRIMARY KEY' WHEN f.contype = 'f' THEN 'FOREIGN KEY' END::varchar(11) AS key,
       coalesce(j.relname || '.' || ja.attname, substring(col_description(c.oid, a.attnum) FROM 'Joins ([a-z_]+\.[a-z_]+)'))::varchar(127) AS joins,
       col_description(c.oid, a.attnum)::varchar(255) AS description, obj_description(c.oid, 'pg_class')::varchar(255) AS object_description
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p' AND k.conkey = ARRAY[a.attnum]
  LEFT JOIN pg_constraint f ON f.conrelid = c.oid AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum]
  LEFT JOIN pg_class j ON j.oid = f.confrelid
  LEFT JOIN pg_attribute ja ON ja.attrelid = f.confrelid AND ja.attnum = f.confkey[1]
 WHERE c.relnamespace = 'oc_bi'::regnamespace AND c.relkind IN ('r', 'v');

GRANT SELECT ON oc_bi.actions, oc_bi.decisions, oc_bi.lineage_edges, oc_bi.lineage_paths, oc_bi.freshness, oc_bi.version,
  oc_bi.dictionary TO oc_bi;
