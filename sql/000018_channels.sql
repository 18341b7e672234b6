-- Channels: notices to be sent, those that were given up, and what servers have to do about them.

SET LOCAL ROLE oc_owner;

CREATE INDEX oc_state_channel ON oc_state (ledger, first_seq) WHERE kind = 'CHANNEL' AND status = 'ACTIVE';
CREATE INDEX oc_state_account ON oc_state (ledger, (state ->> 'principal')) WHERE kind = 'ACCOUNT' AND status = 'LINKED';
CREATE INDEX oc_state_notice ON oc_state (ledger, status, first_seq) WHERE kind = 'NOTICE' AND status <> 'SENT';

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
  not_before timestamptz NOT NULL DEFAULT '-infinity',
  attempts   integer     NOT NULL DEFAULT 0,
  tried_at   timestamptz,
  problem    text,
  PRIMARY KEY (ledger, channel, action)
);
CREATE INDEX outbox_next ON oc_work.outbox (ledger, channel, first_seq);
COMMENT ON TABLE oc_work.outbox IS 'Attempts to send notices. Losing a row repeats a message, or leaves one as it was until the action changes again.';

-- Channels that could not be reached: nothing is tried before.
CREATE TABLE oc_work.channel_pause (
  ledger     text        NOT NULL,
  channel    text        NOT NULL,
  failures   integer     NOT NULL,
  resume_at  timestamptz NOT NULL,
  problem    text        NOT NULL,
  PRIMARY KEY (ledger, channel)
);
COMMENT ON TABLE oc_work.channel_pause IS 'Channels that could not be reached lately, and when they are tried again.';

RESET ROLE;
SELECT oc_guard.record();
