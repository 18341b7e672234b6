-- Routing chains: the latest of one principal in one conversation, and those before it.

SET LOCAL ROLE oc_owner;

-- An array equals another that has nulls in the same places: an agent is another principal for each person it acts for.
CREATE INDEX oc_state_chain ON oc_state ((ARRAY[actor_id, on_behalf_of_id, conversation]), ledger, first_seq)
  WHERE kind = 'CHAIN';
