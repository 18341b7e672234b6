-- What logins of oc_bi and oc_auditor take of the database, and learn of it, besides rows.

-- A. What PostgreSQL lets everybody do. Temporary tables and large objects fill the disk. A notification wakes every server, and an
-- advisory lock can keep one from migrating. Sizes and counters of tables tell how much others record.
DO $$
DECLARE
  f record;
BEGIN
  EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    RAISE NOTICE 'Not a superuser: every login may go on to make large objects, notify, take advisory locks and read sizes of tables. '
                 'Let a superuser run part A of 000014_readers.sql.';
    RETURN;
  END IF;
  FOR f IN SELECT p.oid::regprocedure AS name, p.proname FROM pg_proc p
            WHERE p.pronamespace = 'pg_catalog'::regnamespace
              AND (p.proname ~ '^(lo_.*|loread|lowrite|pg_notify|pg_(try_)?advisory_.*)$'
                   OR p.proname IN ('pg_relation_size', 'pg_table_size', 'pg_indexes_size', 'pg_total_relation_size', 'pg_database_size')
                   -- Of tables, indexes and databases; those of sessions have other arguments.
                   OR (p.proname ~ '^pg_stat_get_(xact_)?(numscans|tuples|live|dead|mod|ins|blocks|last|lastscan|vacuum|analyze|auto|total|db)'
                       AND p.proargtypes = ARRAY['oid'::regtype]::oidvector))
  LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.name);
    IF f.proname ~ '^lo' THEN
      CONTINUE;
    END IF;
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO oc_app, oc_owner', f.name);
    IF f.proname ~ '^pg_(stat|.*size)' THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO pg_monitor', f.name);
    END IF;
  END LOOP;
END
$$;

-- B. Servers notify each other of new entries on a channel with a random name, which only oc_app can read: PostgreSQL lets every role use
-- LISTEN and NOTIFY. A forged notification makes servers read the ledger once, and find nothing new.
SET LOCAL ROLE oc_owner;
CREATE TABLE oc_work.announcement_channel (
  channel text NOT NULL CHECK (channel ~ '^oc_[0-9a-f]{32}$'),
  single  boolean PRIMARY KEY DEFAULT true CHECK (single)
);
COMMENT ON TABLE oc_work.announcement_channel IS 'The channel on which servers learn which ledgers have grown. A secret of theirs.';
REVOKE INSERT, UPDATE, DELETE ON oc_work.announcement_channel FROM oc_app;
INSERT INTO oc_work.announcement_channel (channel) VALUES ('oc_' || replace(gen_random_uuid()::text, '-', ''));

-- C. Reporting views read through functions. Their plans say what these functions are declared to return, whatever tables hold: the
-- planner's estimates for a query of oc_audit_log itself rest on the entries of all organizations. And they read the ledgers of the
-- login's organizations only, by index, so that neither time nor pages read tell of others. The functions take the time of the entries: a
-- condition on a view is applied to what its function has found.
GRANT SELECT ON oc_ledger_head, oc_ledger_month TO oc_reporting;
RESET ROLE;
GRANT CREATE ON SCHEMA public TO oc_reporting;
SET LOCAL ROLE oc_reporting;

CREATE FUNCTION oc_report_entries_between(p_since timestamptz DEFAULT '-infinity', p_until timestamptz DEFAULT 'infinity')
RETURNS TABLE (organization text, region text, seq bigint, recorded_at timestamptz, type text, actor_id text, session_id uuid,
               action_id uuid, platform text, tool text, effect text, chain uuid, source_chain uuid, actor_kind text,
               on_behalf_of text, client text, model text, policy_outcome text, decision text, channel text, reason text,
               latency_ms bigint)
LANGUAGE sql STABLE SECURITY DEFINER COST 1000 ROWS 1000 SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
BEGIN ATOMIC
  SELECT split_part(e.ledger, '/', 1), split_part(e.ledger, '/', 2), e.seq, e.recorded_at, e.type, e.actor_id, e.session_id,
         e.action_id, e.platform, e.tool, e.effect, e.chain, e.source_chain, b.body #>> '{actor,kind}', e.on_behalf_of_id,
         b.body #>> '{client,name}', b.body #>> '{client,model}', b.body #>> '{policy,outcome}', b.body #>> '{decision,verdict}',
         b.body #>> '{decision,channel}', b.body #>> '{reason}',
         CASE WHEN pg_input_is_valid(b.body ->> 'latencyMs', 'bigint') THEN (b.body ->> 'latencyMs')::bigint END
    FROM oc_bi_access o
    JOIN oc_ledger_head h ON split_part(h.ledger, '/', 1) = o.organization
    JOIN oc_audit_log e ON e.ledger = h.ledger AND e.recorded_at >= p_since AND e.recorded_at < p_until
         -- Parsed once an entry. JSON text can hold what jsonb cannot.
         CROSS JOIN LATERAL (SELECT CASE WHEN pg_input_is_valid(e.entry, 'jsonb') THEN e.entry::jsonb -> 'body' END AS body
                             OFFSET 0) b
   WHERE o.role_name = session_user::text;
END;
COMMENT ON FUNCTION oc_report_entries_between(timestamptz, timestamptz) IS
  'What oc_report_entries shows of p_since up to and without p_until; without entries of other times being read.';

CREATE FUNCTION oc_report_actions_between(p_since timestamptz DEFAULT '-infinity', p_until timestamptz DEFAULT 'infinity')
RETURNS TABLE (organization text, region text, action_id text, status text, agent_id text, approvals integer, platform text, tool text,
               effect text, chain uuid, source_chain uuid, proposed_at timestamptz, updated_at timestamptz, expires_at timestamptz,
               proposed_seq bigint, updated_seq bigint)
LANGUAGE sql STABLE SECURITY DEFINER COST 1000 ROWS 1000 SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
BEGIN ATOMIC
  SELECT split_part(a.ledger, '/', 1), split_part(a.ledger, '/', 2), a.id, a.status, a.actor_id,
         CASE WHEN pg_input_is_valid(a.state ->> 'approvals', 'integer') THEN (a.state ->> 'approvals')::integer END,
         p.platform, p.tool, p.effect, p.chain, p.source_chain, p.recorded_at, u.recorded_at, a.expires_at, a.first_seq, a.updated_seq
    FROM oc_bi_access o
    JOIN oc_ledger_head h ON split_part(h.ledger, '/', 1) = o.organization
    JOIN oc_state a ON a.ledger = h.ledger AND a.kind = 'ACTION'
   -- Each is looked for in its month alone.
   CROSS JOIN LATERAL (SELECT m.starts, m.ends FROM oc_ledger_month m
                        WHERE m.ledger = a.ledger AND m.first_seq <= a.first_seq ORDER BY m.first_seq DESC LIMIT 1) pm
    JOIN oc_audit_log p ON p.ledger = a.ledger AND p.seq = a.first_seq AND p.recorded_at >= greatest(pm.starts, p_since)
                       AND p.recorded_at < least(pm.ends, p_until)
   CROSS JOIN LATERAL (SELECT m.starts, m.ends FROM oc_ledger_month m
                        WHERE m.ledger = a.ledger AND m.first_seq <= a.updated_seq ORDER BY m.first_seq DESC LIMIT 1) um
    JOIN oc_audit_log u ON u.ledger = a.ledger AND u.seq = a.updated_seq AND u.recorded_at >= um.starts AND u.recorded_at < um.ends
   WHERE o.role_name = session_user::text;
END;
COMMENT ON FUNCTION oc_report_actions_between(timestamptz, timestamptz) IS
  'What oc_report_actions shows of actions that were proposed from p_since up to and without p_until.';

CREATE FUNCTION oc_report_lineage_between(p_since timestamptz DEFAULT '-infinity', p_until timestamptz DEFAULT 'infinity')
RETURNS TABLE (organization text, region text, seq bigint, recorded_at timestamptz, action_id uuid, source_chain uuid,
               source_platform text, chain uuid, platform text, tool text, effect text)
LANGUAGE sql STABLE SECURITY DEFINER COST 1000 ROWS 1000 SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
BEGIN ATOMIC
  SELECT split_part(e.ledger, '/', 1), split_part(e.ledger, '/', 2), e.seq, e.recorded_at, e.action_id, e.source_chain, s.platform,
         e.chain, e.platform, e.tool, e.effect
    FROM oc_bi_access o
    JOIN oc_ledger_head h ON split_part(h.ledger, '/', 1) = o.organization
    JOIN oc_audit_log e ON e.ledger = h.ledger AND e.recorded_at >= p_since AND e.recorded_at < p_until
    LEFT JOIN LATERAL (SELECT x.platform FROM oc_audit_log x
                        WHERE x.chain = e.source_chain AND x.ledger = e.ledger ORDER BY x.seq LIMIT 1) s ON true
   WHERE o.role_name = session_user::text AND e.type = 'ACTION_PROPOSED'
         -- Not as IS NOT NULL: the index of that condition leads through the entries of all organizations.
     AND CASE WHEN e.source_chain IS NULL THEN false ELSE true END;
END;
COMMENT ON FUNCTION oc_report_lineage_between(timestamptz, timestamptz) IS
  'What oc_report_lineage shows of p_since up to and without p_until.';

CREATE FUNCTION oc_report_daily_between(p_since timestamptz DEFAULT '-infinity', p_until timestamptz DEFAULT 'infinity')
RETURNS TABLE (organization text, region text, day date, type text, platform text, tool text, effect text, entries bigint)
LANGUAGE sql STABLE SECURITY DEFINER COST 1000 ROWS 1000 SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
BEGIN ATOMIC
  SELECT split_part(e.ledger, '/', 1), split_part(e.ledger, '/', 2), (e.recorded_at AT TIME ZONE 'UTC')::date, e.type, e.platform,
         e.tool, e.effect, count(*)
    FROM oc_bi_access o
    JOIN oc_ledger_head h ON split_part(h.ledger, '/', 1) = o.organization
    JOIN oc_audit_log e ON e.ledger = h.ledger AND e.recorded_at >= p_since AND e.recorded_at < p_until
   WHERE o.role_name = session_user::text
   GROUP BY 1, 2, 3, 4, 5, 6, 7;
END;
COMMENT ON FUNCTION oc_report_daily_between(timestamptz, timestamptz) IS
  'What oc_report_daily shows of the entries from p_since up to and without p_until.';

CREATE OR REPLACE VIEW oc_report_entries AS SELECT * FROM oc_report_entries_between();
CREATE OR REPLACE VIEW oc_report_actions AS SELECT * FROM oc_report_actions_between();
CREATE OR REPLACE VIEW oc_report_lineage AS SELECT * FROM oc_report_lineage_between();
CREATE OR REPLACE VIEW oc_report_daily AS SELECT * FROM oc_report_daily_between();

-- PostgreSQL checks the right to call them for the login, also within a view.
REVOKE ALL ON FUNCTION oc_report_entries_between(timestamptz, timestamptz), oc_report_actions_between(timestamptz, timestamptz),
  oc_report_lineage_between(timestamptz, timestamptz), oc_report_daily_between(timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_report_entries_between(timestamptz, timestamptz), oc_report_actions_between(timestamptz, timestamptz),
  oc_report_lineage_between(timestamptz, timestamptz), oc_report_daily_between(timestamptz, timestamptz) TO oc_bi;

RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM oc_reporting;

-- D. Limits that a login cannot lift, as it can lift those of its settings. The number of connections is the role's, which only others
-- may change; one that has a number of its own keeps it. Transactions that take too long are ended by the servers, each of which calls
-- this every few seconds. Returns those that were ended.
CREATE FUNCTION oc_guard.limit_readers(p_report_seconds double precision, p_audit_seconds double precision, p_connections integer)
RETURNS TABLE (login name, seconds double precision)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  reader record;
  session record;
BEGIN
  IF (least(p_report_seconds, p_audit_seconds) >= 1 AND p_connections >= 1) IS NOT TRUE THEN
    RAISE EXCEPTION 'the limits of readers are at least a second and a connection' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
    RAISE EXCEPTION 'oc_guard.limit_readers() belongs to %, who is no superuser: the limits of logins of oc_bi and oc_auditor are not kept',
      current_user USING ERRCODE = '42501';
  END IF;
  FOR reader IN
    SELECT r.rolname, r.rolcanlogin AND r.rolconnlimit = -1 AND r.rolname <> 'oc_auditor' AS unlimited,
           CASE WHEN pg_has_role(r.oid, 'oc_bi', 'MEMBER') THEN p_report_seconds ELSE p_audit_seconds END AS most
      FROM pg_roles r
     WHERE NOT r.rolsuper AND (pg_has_role(r.oid, 'oc_bi', 'MEMBER') OR pg_has_role(r.oid, 'oc_auditor', 'MEMBER'))
       AND NOT pg_has_role(r.oid, 'oc_app', 'MEMBER') AND NOT pg_has_role(r.oid, 'oc_owner', 'MEMBER')
     ORDER BY r.oid -- as every other server, which may wait for the same roles
  LOOP
    IF reader.unlimited THEN
      BEGIN
        EXECUTE format('ALTER ROLE %I CONNECTION LIMIT %s', reader.rolname, p_connections);
      EXCEPTION WHEN undefined_object OR internal_error THEN
        NULL; -- it was dropped, or another server does the same at this moment
      END;
    END IF;
    -- Found before anything is ended: as a condition, pg_terminate_backend might be tried first.
    FOR session IN
      SELECT a.pid, extract(epoch FROM clock_timestamp() - a.xact_start)::double precision AS age
        FROM pg_stat_activity a
       WHERE a.usename = reader.rolname AND a.datname = current_database() AND a.state <> 'idle'
    LOOP
      IF session.age > reader.most AND pg_terminate_backend(session.pid) THEN
        login := reader.rolname;
        seconds := session.age;
        RETURN NEXT;
      END IF;
    END LOOP;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION oc_guard.limit_readers(double precision, double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oc_guard.limit_readers(double precision, double precision, integer) TO oc_app;

SELECT oc_guard.record();
