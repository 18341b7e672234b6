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
  action_version integer,
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
-- a session's timeline, refused attempts on an action (the accepted ones are listed in its state row), time ranges.
CREATE INDEX oc_audit_log_actor ON oc_audit_log (actor_id, ledger, seq);
CREATE INDEX oc_audit_log_on_behalf_of ON oc_audit_log (on_behalf_of_id, ledger, seq) WHERE on_behalf_of_id IS NOT NULL;
CREATE INDEX oc_audit_log_tool ON oc_audit_log (tool, ledger, seq) WHERE tool IS NOT NULL;
CREATE INDEX oc_audit_log_chain ON oc_audit_log (chain, ledger, seq) WHERE chain IS NOT NULL;
CREATE INDEX oc_audit_log_source_chain ON oc_audit_log (source_chain, ledger, seq) WHERE source_chain IS NOT NULL;
CREATE INDEX oc_audit_log_session ON oc_audit_log (session_id, ledger, seq) WHERE session_id IS NOT NULL;
CREATE INDEX oc_audit_log_attempts ON oc_audit_log (action_id, ledger, seq)
  WHERE action_id IS NOT NULL AND action_version IS NULL;
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
  recorded_at timestamptz NOT NULL
) WITH (fillfactor = 20);

-- Where each governed action stands. A projection of the action's entries, never a fact of its own:
-- version n is what entry n of the action said.
CREATE TABLE oc_action (
  ledger           text        NOT NULL,
  id               uuid        NOT NULL,
  version          integer     NOT NULL,
  status           text        NOT NULL CHECK (status IN ('ALLOWED', 'PENDING', 'APPROVED', 'DENIED', 'BLOCKED', 'EXPIRED',
                     'CANCELLED', 'EXECUTING', 'SUCCEEDED', 'FAILED', 'AMBIGUOUS')),
  agent_id         text        NOT NULL,
  on_behalf_of_id  text,
  approvals        integer     NOT NULL CHECK (approvals >= 0),
  expires_at       timestamptz,
  grant_id         uuid,
  grant_hash       bytea,
  grant_expires_at timestamptz,
  proposed_seq     bigint      NOT NULL,
  updated_seq      bigint      NOT NULL,
  entries          bigint[]    NOT NULL,
  PRIMARY KEY (ledger, id)
) WITH (fillfactor = 80);

CREATE INDEX oc_action_status ON oc_action (status, ledger, proposed_seq);
CREATE INDEX oc_action_due ON oc_action (expires_at) WHERE expires_at IS NOT NULL;

-- The routing chains of one principal in one conversation, in the order they began. The latest is the current one. An
-- agent is another principal for each person it acts for; '' stands for nobody.
CREATE TABLE oc_chain (
  ledger          text    NOT NULL,
  principal_id    text    NOT NULL,
  on_behalf_of_id text    NOT NULL,
  conversation    text    NOT NULL,
  number          integer NOT NULL,
  chain           uuid    NOT NULL,
  platform        text    NOT NULL,
  started_seq     bigint  NOT NULL,
  PRIMARY KEY (ledger, principal_id, on_behalf_of_id, conversation, number)
);

-- Where each session stands: version 1 was its start, version 2 its end. Whose it is, in which conversation ('': in none)
-- and when it expires (null: never) is what its start said, whoever ends it.
CREATE TABLE oc_session (
  ledger          text        NOT NULL,
  id              uuid        NOT NULL,
  version         integer     NOT NULL,
  actor_id        text        NOT NULL,
  on_behalf_of_id text,
  conversation    text        NOT NULL,
  expires_at      timestamptz,
  started_seq     bigint      NOT NULL,
  updated_seq     bigint      NOT NULL,
  ended           boolean     NOT NULL,
  PRIMARY KEY (ledger, id)
) WITH (fillfactor = 80);
-- A principal's sessions and those of its agents, its open ones also by conversation, all of a ledger as they began, and what a job has to end.
CREATE INDEX oc_session_started ON oc_session (actor_id, ledger, started_seq);
CREATE INDEX oc_session_on_behalf_of ON oc_session (on_behalf_of_id, ledger, started_seq) WHERE on_behalf_of_id IS NOT NULL;
-- An array equals another that has nulls in the same places, and no other index can stand in for one of an expression.
CREATE INDEX oc_session_open ON oc_session ((ARRAY[actor_id, on_behalf_of_id]), ledger, started_seq) WHERE NOT ended;
CREATE INDEX oc_session_conversation ON oc_session ((ARRAY[actor_id, on_behalf_of_id, conversation]), ledger, started_seq)
  WHERE NOT ended;
CREATE INDEX oc_session_position ON oc_session (ledger, started_seq);
CREATE INDEX oc_session_due ON oc_session (expires_at, ledger, id) WHERE NOT ended AND expires_at IS NOT NULL;

-- What the latest entry about each thing of a ledger's directory says: who is known, which tokens are revoked, and the
-- like. The ledger compares and keeps `state`; what it means is the business of whoever writes it.
CREATE TABLE oc_directory (
  ledger      text    NOT NULL,
  kind        text    NOT NULL,
  id          text    NOT NULL,
  version     integer NOT NULL,
  state       jsonb   NOT NULL,
  first_seq   bigint  NOT NULL,
  updated_seq bigint  NOT NULL,
  PRIMARY KEY (ledger, kind, id)
) WITH (fillfactor = 80);
-- What has changed since a position: how a server keeps up.
CREATE INDEX oc_directory_updated ON oc_directory (ledger, updated_seq);

GRANT SELECT ON oc_audit_log, oc_audit_payload, oc_ledger_head, oc_action, oc_chain, oc_session, oc_directory TO oc_app;
GRANT SELECT ON oc_audit_log, oc_audit_payload, oc_ledger_head TO oc_auditor;
