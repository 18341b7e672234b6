-- Search: how texts are compared, at which position a time begins, and an index that a job fills. No append reads, writes or locks
-- anything of it.

SET LOCAL ROLE oc_owner;

-- `value` in the form that searches compare: the same for either Unicode normal form and for any case.
-- src/ledger/search/fold.ts does the same for the index; a test compares both for every character.
CREATE FUNCTION oc_search_fold(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN octet_length(value) = length(value) THEN lower(value COLLATE "C")
            -- Testing costs a third of normalizing, and most of what people write is normalized.
            WHEN value IS NFKC NORMALIZED THEN lower(value COLLATE pg_c_utf8) COLLATE "C"
            ELSE lower(normalize(value, NFKC) COLLATE pg_c_utf8) COLLATE "C" END;

-- The first position of a ledger that was recorded at `p_instant` or later; the position after its end when there is none. Time
-- never runs backwards in a ledger, so the position is found by halving, in the one month that can contain it. Not STABLE: see the
-- functions that read by position (000002).
CREATE FUNCTION oc_position_at(p_ledger text, p_instant timestamptz) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  month record;
  low bigint;
  high bigint;
  middle bigint;
  candidate record;
BEGIN
  SELECT m.first_seq, m.starts, m.ends INTO month FROM oc_ledger_month m
   WHERE m.ledger = p_ledger AND m.starts < p_instant ORDER BY m.first_seq DESC LIMIT 1;
  IF NOT FOUND THEN
    RETURN 1;
  END IF;
  low := month.first_seq;
  high := coalesce((SELECT m.first_seq FROM oc_ledger_month m WHERE m.ledger = p_ledger AND m.first_seq > month.first_seq
                     ORDER BY m.first_seq LIMIT 1),
                   (SELECT h.seq + 1 FROM oc_ledger_head h WHERE h.ledger = p_ledger));
  WHILE low < high LOOP
    middle := low + (high - low) / 2;
    SELECT e.seq, e.recorded_at INTO candidate FROM oc_audit_log e
     WHERE e.ledger = p_ledger AND e.seq >= middle AND e.seq < high
       AND e.recorded_at >= month.starts AND e.recorded_at < month.ends
     ORDER BY e.seq LIMIT 1;
    IF candidate.seq IS NULL OR candidate.recorded_at >= p_instant THEN
      high := middle;
    ELSE
      low := candidate.seq + 1;
    END IF;
  END LOOP;
  RETURN low;
END
$$;

-- Segment n covers the 2^11 positions p with (p - 1) >> 11 = n. `bits` says which of its blocks of eight positions may have what a
-- search looks for (src/ledger/search/README.md); null while a server builds it. A segment without a row is searched entry by entry.
CREATE TABLE oc_work.search_segment (
  ledger     text        NOT NULL,
  segment    bigint      NOT NULL CHECK (segment >= 0),
  -- Of the server that builds it, or built it.
  claim      uuid        NOT NULL,
  claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  format     integer,
  -- Not compressed: a search reads 32 bytes here and there.
  bits       bytea       STORAGE EXTERNAL,
  PRIMARY KEY (ledger, segment)
);
COMMENT ON TABLE oc_work.search_segment IS
  'Where values and words may be found. Checked by `countersign search-index`, rebuilt by `countersign search-index --rebuild`.';

-- Segments of which a value was erased: a server that was building one at that moment may have read the value.
CREATE TABLE oc_work.search_erased (
  ledger  text   NOT NULL,
  segment bigint NOT NULL
);
CREATE INDEX search_erased_segment ON oc_work.search_erased (ledger, segment);

REVOKE ALL ON FUNCTION oc_search_fold(text), oc_position_at(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_search_fold(text), oc_position_at(text, timestamptz) TO oc_app, oc_auditor;

RESET ROLE;
SELECT oc_guard.record();
