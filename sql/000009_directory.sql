-- The directory: what has changed since a position, which is how a server keeps up.

SET LOCAL ROLE oc_owner;

CREATE INDEX oc_state_directory ON oc_state (ledger, updated_seq) WHERE kind IN ('PRINCIPAL', 'TOKEN', 'SETUP');
