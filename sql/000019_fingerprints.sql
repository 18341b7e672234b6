-- Fingerprints of what was read: whether what is to be written has values of it, without keeping them.

SET LOCAL ROLE oc_owner;

-- What was read, and what of it was completed, but for what was forbidden. Only the states of an entry have a member `status` with this value.
CREATE INDEX oc_audit_log_recent_reads ON oc_audit_log (actor_id, coalesce(on_behalf_of_id, ''), ledger, seq)
  WHERE type IN ('ACTION_PROPOSED', 'ACTION_COMPLETED') AND effect = 'READ' AND strpos(entry, '"status":"BLOCKED"') = 0;

-- The latest p_limit of these since then and after that position, of a principal acting for this person ('' for nobody), the latest first.
CREATE FUNCTION oc_recent_reads(
  p_ledger text, p_actor text, p_person text, p_since timestamptz, p_after bigint, p_limit integer)
RETURNS SETOF bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  -- Of the months that are looked at, all: what is older than p_since is left out at the end.
  month timestamptz := date_trunc('month', p_since, 'UTC');
BEGIN
  RETURN QUERY
    SELECT r.seq FROM (
      SELECT e.seq, e.recorded_at FROM oc_audit_log e
       WHERE e.type IN ('ACTION_PROPOSED', 'ACTION_COMPLETED') AND e.effect = 'READ'
         AND strpos(e.entry, '"status":"BLOCKED"') = 0
         AND e.actor_id = p_actor AND coalesce(e.on_behalf_of_id, '') = p_person AND e.ledger = p_ledger
         AND e.seq > p_after AND e.recorded_at >= month
       ORDER BY e.seq DESC LIMIT p_limit) r
     WHERE r.recorded_at >= p_since;
END
$$;
REVOKE ALL ON FUNCTION oc_recent_reads(text, text, text, timestamptz, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_recent_reads(text, text, text, timestamptz, bigint, integer) TO oc_app;

CREATE TABLE oc_work.read_fingerprints (
  ledger       text        NOT NULL,
  -- The id of the read action.
  action       uuid        NOT NULL,
  -- In the entry that completes it. Reports that come at the same moment have a row each, of which one is recorded.
  digest       bytea       NOT NULL,
  -- Without these random bytes, which are nowhere else, the digest confirms no guess.
  salt         bytea       NOT NULL,
  -- What was asked for: reads of the same have the same number.
  source       bigint      NOT NULL,
  -- Six bytes each, in ascending order: nothing to compress.
  fingerprints bytea       STORAGE EXTERNAL NOT NULL,
  made_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (ledger, action, digest)
);
CREATE INDEX read_fingerprints_made ON oc_work.read_fingerprints (ledger, made_at);
CREATE INDEX read_fingerprints_old ON oc_work.read_fingerprints (made_at);
COMMENT ON TABLE oc_work.read_fingerprints IS 'Keyed fingerprints of what was read lately. Losing or altering a row makes the read a possible source of whatever is written afterwards. A job deletes what is old, and erasing a value of the read deletes its row.';

-- How often fingerprints of the ledger were deleted because a value was erased: servers that remember some forget them then.
CREATE TABLE oc_work.forgotten_reads (
  ledger text   PRIMARY KEY,
  times  bigint NOT NULL
);
COMMENT ON TABLE oc_work.forgotten_reads IS 'How often fingerprints of reads were deleted with what was read. Losing it makes servers remember what is left once more.';

RESET ROLE;
SELECT oc_guard.record();
