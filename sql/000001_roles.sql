-- Roles (cluster-wide, so every statement must be repeatable) and what the schema denies by default.
--
-- oc_owner    owns every object; nobody can log in as it.
-- oc_app      the server: EXECUTE on the append functions and SELECT, nothing else.
-- oc_auditor  SELECT on the ledger.
-- oc_bi       SELECT on the reporting views only, restricted by organization.
-- oc_reporting owns the reporting views; row-level security applies to it, and so to all readers of these views.
DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['oc_owner', 'oc_app', 'oc_auditor', 'oc_bi', 'oc_reporting'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', wanted);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL; -- another database of this cluster is being migrated at this moment
      END;
    END IF;
  END LOOP;
  -- The migrating role must be able to hand objects to oc_owner and to work as oc_app.
  FOREACH wanted IN ARRAY ARRAY['oc_owner', 'oc_app', 'oc_reporting'] LOOP
    IF NOT pg_has_role(current_user, wanted, 'MEMBER') THEN
      EXECUTE format('GRANT %I TO %I', wanted, current_user);
    END IF;
  END LOOP;
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO oc_owner;
GRANT USAGE ON SCHEMA public TO oc_app, oc_auditor, oc_bi, oc_reporting;

-- Kept by the migration runner, which made it before this file ran. The server compares it with the files it ships.
GRANT SELECT ON oc_migrations TO oc_app;
