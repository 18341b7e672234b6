-- When a server first sent a person what an action that waits would do: for the decisions that people make about it. Losing a row leaves the
-- time out of a decision, or makes it later; nothing is permitted by one.

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
COMMENT ON TABLE oc_work.first_shown IS 'When a server first sent a person what a pending action would do, whether they may decide it or not. A job deletes what is old.';

RESET ROLE;
SELECT oc_guard.record();
