-- When an action that waits was first shown to somebody: for the decisions that people make about it. Losing a row leaves the time out of a
-- decision; nothing is permitted by one.

SET LOCAL ROLE oc_owner;

CREATE TABLE oc_work.first_shown (
  ledger    text        NOT NULL,
  principal text        NOT NULL,
  action    uuid        NOT NULL,
  -- By which channel.
  channel   text        NOT NULL,
  shown_at  timestamptz NOT NULL,
  PRIMARY KEY (ledger, principal, action)
);
CREATE INDEX first_shown_at ON oc_work.first_shown (shown_at);
COMMENT ON TABLE oc_work.first_shown IS 'When an action was first shown to a person who may decide it. A job deletes what is old.';

RESET ROLE;
SELECT oc_guard.record();
