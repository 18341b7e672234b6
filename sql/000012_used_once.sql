-- What may be used once: proofs of keys, nonces of signatures and states of sign-ins, remembered for all servers until all of them
-- refuse them as expired. If a row is lost, its proof can be used once more before it expires. No other table of oc_work permits anything.

SET LOCAL ROLE oc_owner;

CREATE TABLE oc_work.used_once (
  -- The limit that the row counts towards, as its kind and the organization, agent or issuer that it limits: `proof acme`,
  -- `sign-in https://login.acme.example`.
  scope      text        NOT NULL,
  -- The thumbprint of the key that it was made with; empty when there is none.
  holder     text        NOT NULL,
  -- SHA-256 of it.
  id         bytea       NOT NULL CHECK (octet_length(id) = 32),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (scope, holder, id)
);
CREATE INDEX used_once_expires ON oc_work.used_once (expires_at);
COMMENT ON TABLE oc_work.used_once IS 'What was used and must not be accepted again. A job deletes what is over.';

RESET ROLE;
SELECT oc_guard.record();
