-- Sessions: those of a principal and of its agents, its open ones also by conversation, and all of a ledger as they began.

SET LOCAL ROLE oc_owner;

CREATE INDEX oc_state_session ON oc_state (ledger, first_seq) WHERE kind = 'SESSION';
CREATE INDEX oc_state_session_actor ON oc_state (actor_id, ledger, first_seq) WHERE kind = 'SESSION';
CREATE INDEX oc_state_session_person ON oc_state (on_behalf_of_id, ledger, first_seq)
  WHERE kind = 'SESSION' AND on_behalf_of_id IS NOT NULL;
-- Arrays with nulls at the same places are equal, and PostgreSQL uses no other index for this expression.
CREATE INDEX oc_state_session_open ON oc_state ((ARRAY[actor_id, on_behalf_of_id]), ledger, first_seq)
  WHERE kind = 'SESSION' AND status = 'OPEN';
CREATE INDEX oc_state_session_conversation ON oc_state ((ARRAY[actor_id, on_behalf_of_id, conversation]), ledger, first_seq)
  WHERE kind = 'SESSION' AND status = 'OPEN';
