-- What each browser session is checked with at its identity provider. Encrypted by the servers, which accept no row that they did
-- not encrypt for that very session. A session without its row is refused.

SET LOCAL ROLE oc_owner;

CREATE TABLE oc_work.browser_session (
  session    uuid        PRIMARY KEY,
  -- Tokens of the provider, and what it said of the person, and when.
  sealed     text        NOT NULL CHECK (length(sealed) <= 65536),
  -- The server that asks the provider now, and until when the others leave it to that one.
  checker    uuid,
  busy_until timestamptz,
  expires_at timestamptz NOT NULL
);
CREATE INDEX browser_session_expires ON oc_work.browser_session (expires_at);
COMMENT ON TABLE oc_work.browser_session IS 'Encrypted tokens of browser sessions. A job deletes those of sessions that are over.';

RESET ROLE;
SELECT oc_guard.record();
