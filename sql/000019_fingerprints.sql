-- Fingerprints of what was read: whether what is to be written has values of it, without keeping them.

SET LOCAL ROLE oc_owner;

CREATE TABLE oc_work.read_fingerprints (
  ledger       text        NOT NULL,
  -- The read, whose completion commits to its fingerprints.
  action       uuid        NOT NULL,
  -- What was asked for: reads of the same have the same number.
  source       bigint      NOT NULL,
  -- Six bytes each, in ascending order: nothing to compress.
  fingerprints bytea       STORAGE EXTERNAL NOT NULL,
  made_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (ledger, action)
);
CREATE INDEX read_fingerprints_made ON oc_work.read_fingerprints (ledger, made_at);
CREATE INDEX read_fingerprints_old ON oc_work.read_fingerprints (made_at);
COMMENT ON TABLE oc_work.read_fingerprints IS 'Keyed fingerprints of what was read lately. Losing or altering a row makes the read a possible source of whatever is written afterwards. A job deletes what is old.';

RESET ROLE;
SELECT oc_guard.record();
