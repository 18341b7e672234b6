-- The ledger: entries, erasable payloads, heads; and the state that only entries can change.

SET LOCAL ROLE oc_owner;

-- One row is one immutable fact. `entry` is the authority: every other column is derived from it by the database
-- in the statement that inserts it, and the verifier compares them again.
CREATE TABLE oc_audit_log (
  ledger         text        NOT NULL,
  seq            bigint      NOT NULL CHECK (seq >= 1),
  recorded_at    timestamptz NOT NULL,
  entry          text        NOT NULL,
  hash           bytea       NOT NULL,
  prev_hash      bytea       NOT NULL CHECK (octet_length(prev_hash) = 32),
  id             uuid        NOT NULL,
  type           text        NOT NULL,
  actor_id       text,
  on_behalf_of_id text,
  session_id     uuid,
  action_id      uuid,
  state_version  integer,
  platform       text,
  tool           text,
  effect         text,
  chain          uuid,
  source_chain   uuid,
  CONSTRAINT oc_audit_log_hash CHECK (hash = sha256(convert_to(entry, 'UTF8'))),
  -- The bytes end in …"prevHash":"<64>","recordedAt":"<27>","seq":"<seq>","v":1}: they must name the column's value.
  CONSTRAINT oc_audit_log_prev_hash CHECK (
    substring(convert_to(entry, 'UTF8') FROM octet_length(entry) - 123 - length(seq::text) FOR 64)
      = convert_to(encode(prev_hash, 'hex'), 'UTF8'))
) PARTITION BY RANGE (recorded_at);

COMMENT ON TABLE oc_audit_log IS 'Append-only: one row is one entry of format 1. Written by oc_ledger_append alone.';

-- A unique index cannot span partitions without the partition key; each partition has its own, and the insert
-- check (000003) covers the seam between them.
-- Only (ledger, seq) leads with the ledger: a plan made while the tables are small, and kept, then has no second
-- index to look a position up by. The others lead with what they are for.
-- Queries of the API that earn the others: actor, person and tool filters, walking a chain, walking lineage forward,
-- a session's timeline, refused attempts on an action (the accepted ones are listed in its row of oc_state), time ranges.
CREATE INDEX oc_audit_log_actor ON oc_audit_log (actor_id, ledger, seq);
CREATE INDEX oc_audit_log_on_behalf_of ON oc_audit_log (on_behalf_of_id, ledger, seq) WHERE on_behalf_of_id IS NOT NULL;
CREATE INDEX oc_audit_log_tool ON oc_audit_log (tool, ledger, seq) WHERE tool IS NOT NULL;
CREATE INDEX oc_audit_log_chain ON oc_audit_log (chain, ledger, seq) WHERE chain IS NOT NULL;
CREATE INDEX oc_audit_log_source_chain ON oc_audit_log (source_chain, ledger, seq) WHERE source_chain IS NOT NULL;
CREATE INDEX oc_audit_log_session ON oc_audit_log (session_id, ledger, seq) WHERE session_id IS NOT NULL;
CREATE INDEX oc_audit_log_attempts ON oc_audit_log (action_id, ledger, seq)
  WHERE action_id IS NOT NULL AND state_version IS NULL;
CREATE INDEX oc_audit_log_recorded_at ON oc_audit_log USING brin (recorded_at);

-- Erasable values of one entry: {"<path in body>": {"salt": "<32 hex>", "value": <JSON>}, ...}, RFC 8785 text.
-- `json`, not `jsonb`: the commitments cover these bytes, and jsonb would rewrite them.
CREATE TABLE oc_audit_payload (
  ledger  text   NOT NULL,
  seq     bigint NOT NULL,
  payload json   NOT NULL,
  PRIMARY KEY (ledger, seq)
) WITH (toast_tuple_target = 8160);

-- The row every append of a ledger locks: it orders them, whatever process they come from.
CREATE TABLE oc_ledger_head (
  ledger      text        PRIMARY KEY CHECK (ledger ~ '^[a-z0-9][a-z0-9-]{0,62}/[a-z0-9][a-z0-9-]{0,62}$'),
  seq         bigint      NOT NULL,
  hash        bytea       NOT NULL,
  recorded_at timestamptz NOT NULL,
  -- Calls of oc_ledger_append that were repeated after a commit of unknown outcome, the latest first.
  superseded  uuid[]      NOT NULL DEFAULT '{}'
) WITH (fillfactor = 20);

-- The current state of each subject of a ledger (an action, a session, a principal, …), as in the latest entry that has it
-- among its `states`. A projection, never a fact. One table for all kinds: only the area that records a kind knows what it
-- means. Version n is the state in the entry at entries[n].
CREATE TABLE oc_state (
  ledger          text        NOT NULL,
  kind            text        NOT NULL CHECK (kind ~ '^[A-Z][A-Z_]{0,39}$' AND kind <> 'LATE'),
  id              text        NOT NULL CHECK (length(id) BETWEEN 1 AND 400),
  version         integer     NOT NULL CHECK (version >= 1),
  state           jsonb       NOT NULL CHECK (jsonb_typeof(state) = 'object'),
  -- Of `state`, for indexes.
  status          text,
  expires_at      timestamptz,
  -- Of the entry that made it: who acted, for whom, and in which conversation ('': in none).
  actor_id        text,
  on_behalf_of_id text,
  conversation    text        NOT NULL,
  first_seq       bigint      NOT NULL,
  updated_seq     bigint      NOT NULL,
  entries         bigint[]    NOT NULL CHECK (cardinality(entries) = version),
  -- Of the entry at updated_seq.
  hash            bytea       NOT NULL,
  PRIMARY KEY (ledger, kind, id)
) WITH (fillfactor = 80);
COMMENT ON TABLE oc_state IS 'A cache of what entries say, written by oc_ledger_append alone. Indexes are those of each area.';

-- What a job has to settle.
CREATE INDEX oc_state_due ON oc_state (kind, expires_at, ledger, id) WHERE expires_at IS NOT NULL;

-- Working tables: what is not a fact (indexes, counters, outboxes, job progress). Losing one may delay, repeat or refuse
-- something, and never permits anything.
RESET ROLE;
CREATE SCHEMA oc_work AUTHORIZATION oc_owner;
SET LOCAL ROLE oc_owner;
GRANT USAGE ON SCHEMA oc_work TO oc_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA oc_work GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO oc_app;

GRANT SELECT ON oc_audit_log, oc_audit_payload, oc_ledger_head, oc_state TO oc_app, oc_auditor;
