-- Channels: notices to be sent, those that were given up, and what servers have to do about them.

SET LOCAL ROLE oc_owner;

CREATE INDEX oc_state_channel ON oc_state (ledger, first_seq) WHERE kind = 'CHANNEL' AND status = 'ACTIVE';
CREATE INDEX oc_state_account ON oc_state (ledger, (state ->> 'principal')) WHERE kind = 'ACCOUNT' AND status = 'LINKED';
CREATE INDEX oc_state_notice ON oc_state (ledger, status, first_seq) WHERE kind = 'NOTICE' AND status <> 'SENT';
-- By action: `<action>/<channel>` is their id.
CREATE INDEX oc_state_notice_action ON oc_state (ledger, (split_part(id, '/', 1))) WHERE kind = 'NOTICE';

-- By what they say of which channel or account: `"<id>","kind":"<kind>"` of the entries' text. Whoever reads the row of one looks for a
-- later entry than it names, so that an old row that was put back is noticed.
CREATE INDEX oc_audit_log_channels ON oc_audit_log ((split_part(split_part(entry, ',"state":{', 1), '{"id":', -1)), ledger, seq)
  WHERE type IN ('CHANNEL_CONFIGURED', 'CHANNEL_REMOVED', 'ACCOUNT_LINKED', 'ACCOUNT_UNLINKED');

-- Whether the ledger has a later entry about a channel or an account than the one at p_seq. Not STABLE, as oc_entries_at.
CREATE FUNCTION oc_channel_moved_on(p_ledger text, p_kind text, p_id text, p_seq bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  since timestamptz := oc_month_start(p_ledger, p_seq);
BEGIN
  RETURN EXISTS (
    SELECT FROM oc_audit_log e
     WHERE split_part(split_part(e.entry, ',"state":{', 1), '{"id":', -1) = to_json(p_id) || ',"kind":"' || p_kind || '"'
       AND e.type IN ('CHANNEL_CONFIGURED', 'CHANNEL_REMOVED', 'ACCOUNT_LINKED', 'ACCOUNT_UNLINKED')
       AND e.ledger = p_ledger AND e.seq > p_seq AND e.recorded_at >= since);
END
$$;
REVOKE ALL ON FUNCTION oc_channel_moved_on(text, text, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_channel_moved_on(text, text, text, bigint) TO oc_app;

-- Who works on the notices of a ledger, and up to where its entries were looked at.
CREATE TABLE oc_work.notice_work (
  ledger     text        NOT NULL PRIMARY KEY,
  position   bigint      NOT NULL,
  -- A server, until when.
  holder     uuid,
  held_until timestamptz
);
COMMENT ON TABLE oc_work.notice_work IS 'Which server works on the notices of a ledger. Losing a row makes it look at all entries since the first channel again, and record nothing twice.';

-- What is to be sent: a first message, or what changed since. Rows are deleted once that is done.
CREATE TABLE oc_work.outbox (
  ledger     text        NOT NULL,
  channel    text        NOT NULL,
  action     uuid        NOT NULL,
  -- Position of the entry that queued the notice: the order in which a channel gets them.
  first_seq  bigint      NOT NULL,
  -- The version of the action that the message has to be of, or a later one.
  wanted     integer     NOT NULL,
  -- Set: only if the action waits for people then.
  escalates  boolean     NOT NULL DEFAULT false,
  -- -infinity: at once. Later: when its action escalates, or when it is tried again after the other side refused it.
  not_before timestamptz NOT NULL DEFAULT '-infinity',
  -- Those that count against it.
  attempts   integer     NOT NULL DEFAULT 0,
  tried_at   timestamptz,
  -- How often, and when last, it was refused while the channel was not out of reach.
  refusals   integer     NOT NULL DEFAULT 0,
  refused_at timestamptz,
  problem    text,
  PRIMARY KEY (ledger, channel, action)
);
CREATE INDEX outbox_next ON oc_work.outbox (ledger, channel, not_before, first_seq);
CREATE INDEX outbox_problem ON oc_work.outbox (ledger, channel, first_seq) WHERE problem IS NOT NULL;
COMMENT ON TABLE oc_work.outbox IS 'Attempts to send notices. Losing a row repeats a message, or leaves one as it was until the action changes again.';

-- How channels do by which something was tried in vain.
CREATE TABLE oc_work.channel_pause (
  ledger     text        NOT NULL,
  channel    text        NOT NULL,
  -- Attempts in vain since a message came through, and how many of them the channel was paused for.
  failures   integer     NOT NULL,
  pauses     integer     NOT NULL,
  -- The action of the notice that was refused last since then.
  refused    uuid,
  -- Nothing is tried before.
  resume_at  timestamptz,
  -- When a message came through, the first after one that did not.
  reached_at timestamptz,
  problem    text,
  PRIMARY KEY (ledger, channel)
);
COMMENT ON TABLE oc_work.channel_pause IS 'Channels that could not be reached lately, and when they are tried again. Losing a row has them tried at once.';

-- Up to where run events of OpenLineage were sent, and who sends them.
CREATE TABLE oc_work.run_events (
  ledger     text        NOT NULL,
  -- SHA-256 of the address they are sent to.
  target     bytea       NOT NULL,
  position   bigint      NOT NULL,
  -- A server, until when.
  holder     uuid,
  held_until timestamptz,
  PRIMARY KEY (ledger, target)
);
COMMENT ON TABLE oc_work.run_events IS 'Up to where run events were sent. Losing a row has all of them sent again. Rows of addresses that are not used any more stay.';

RESET ROLE;
SELECT oc_guard.record();
