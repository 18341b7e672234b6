import { type Manipulations, to } from "./manipulations.ts";

export const OF_ACCESS: Manipulations = {
  rights: {
    "payloads for BI tools": to(
      "public.oc_audit_payload",
      "GRANT SELECT ON oc_audit_payload TO oc_bi",
      /^unexpected: grant SELECT to oc_bi$/,
    ),
    "a column of payloads": to(
      "public.oc_audit_payload",
      "GRANT SELECT (payload) ON oc_audit_payload TO oc_bi",
      /^unexpected: grant SELECT payload to oc_bi$/,
    ),
    "a partition for everybody": to(
      "public.oc_audit_payload_default",
      "GRANT SELECT ON oc_audit_payload_default TO PUBLIC",
      /^unexpected: grant SELECT to PUBLIC$/,
    ),
    "a right that may be granted": to(
      "public.oc_audit_log",
      "GRANT SELECT ON oc_audit_log TO oc_auditor WITH GRANT OPTION",
      /^unexpected: grant SELECT to oc_auditor with grant option$/,
    ),
    "writing states": to(
      "public.oc_state",
      "GRANT UPDATE ON oc_state TO oc_app",
      /^unexpected: grant UPDATE to oc_app$/,
    ),
    "an organization for a login": to(
      "public.oc_bi_access",
      "INSERT INTO oc_bi_access VALUES ('mallory', 'acme')",
      /^unexpected: row mallory reads acme$/,
    ),
    "organizations for whoever wants them": to(
      "public.oc_bi_access",
      "GRANT INSERT ON oc_bi_access TO oc_bi",
      /^unexpected: grant INSERT to oc_bi$/,
    ),
    "making functions in public": to(
      "schema public",
      "GRANT CREATE ON SCHEMA public TO oc_app",
      /^unexpected: grant CREATE to oc_app$/,
    ),
    "making schemas": to("database", "GRANT CREATE ON DATABASE %DB% TO oc_app", /^unexpected: grant CREATE to oc_app$/),
    "owning the database": to("database", "ALTER DATABASE %DB% OWNER TO oc_app", /^unexpected: database owner oc_app$/),
    "whatever partitions will be made": to(
      "default privileges",
      "ALTER DEFAULT PRIVILEGES FOR ROLE oc_owner IN SCHEMA public GRANT SELECT ON TABLES TO oc_bi",
      /^unexpected: of tables that oc_owner makes in public grant SELECT to oc_bi$/,
    ),
    "the baseline emptied": to("oc_guard.baseline", "DELETE FROM oc_guard.baseline", /^missing: rows sha256 /),
    "a weakness in the baseline": to(
      "oc_guard.baseline",
      "INSERT INTO oc_guard.baseline VALUES ('public.oc_state', 'grant UPDATE to oc_app', false)",
      /^unexpected: rows sha256 /,
    ),
  },
  roles: {
    "oc_owner through another role": to(
      "role mallory",
      "CREATE ROLE middle; GRANT oc_owner TO middle; CREATE ROLE mallory LOGIN IN ROLE middle",
      /^unexpected: member of oc_owner through middle$/,
      "DROP ROLE mallory, middle",
    ),
    "pg_write_all_data through two": to(
      "role oc_bi",
      "CREATE ROLE middle IN ROLE pg_write_all_data; CREATE ROLE between IN ROLE middle; GRANT between TO oc_bi",
      /^unexpected: member of pg_write_all_data through between and middle$/,
      "DROP ROLE between, middle",
    ),
    pg_read_all_data: to(
      "role mallory",
      "CREATE ROLE mallory LOGIN IN ROLE pg_read_all_data",
      /^unexpected: member of pg_read_all_data$/,
      "DROP ROLE mallory",
    ),
    "oc_app through another role": to(
      "role mallory",
      "CREATE ROLE middle IN ROLE oc_app; CREATE ROLE mallory LOGIN IN ROLE middle",
      /^unexpected: member of oc_app through middle$/,
      "DROP ROLE mallory, middle",
    ),
    "oc_app, to be granted to others": to(
      "role mallory",
      "CREATE ROLE mallory LOGIN; GRANT oc_app TO mallory WITH ADMIN OPTION",
      /^unexpected: member of oc_app with the right to grant it$/,
      "DROP ROLE mallory",
    ),
    "the ledger for a login of BI tools": to(
      "role mallory",
      "CREATE ROLE mallory LOGIN IN ROLE oc_bi, oc_auditor",
      /^unexpected: member of oc_auditor$/,
      "DROP ROLE mallory",
    ),
    "the ledger for all BI tools": to(
      "role oc_bi",
      "GRANT oc_auditor TO oc_bi",
      /^unexpected: member of oc_auditor$/,
      "REVOKE oc_auditor FROM oc_bi",
    ),
    "a superuser": to(
      "role mallory",
      "CREATE ROLE mallory LOGIN SUPERUSER",
      /^unexpected: is a superuser$/,
      "DROP ROLE mallory",
    ),
    "a superuser to become": to(
      "role mallory",
      "CREATE ROLE highest SUPERUSER; CREATE ROLE mallory LOGIN IN ROLE highest",
      /^unexpected: member of highest$/,
      "DROP ROLE mallory, highest",
    ),
    "no row-level security": to(
      "role oc_bi",
      "ALTER ROLE oc_bi BYPASSRLS",
      /^unexpected: bypasses row-level security$/,
      "ALTER ROLE oc_bi NOBYPASSRLS",
    ),
    replication: to(
      "role mallory",
      "CREATE ROLE mallory LOGIN REPLICATION",
      /^unexpected: may replicate$/,
      "DROP ROLE mallory",
    ),
    "a login for the owner": to(
      "role oc_owner",
      "ALTER ROLE oc_owner LOGIN",
      /^unexpected: may log in$/,
      "ALTER ROLE oc_owner NOLOGIN",
    ),
    "making roles": to(
      "role oc_bi",
      "ALTER ROLE oc_bi CREATEROLE",
      /^unexpected: may create roles$/,
      "ALTER ROLE oc_bi NOCREATEROLE",
    ),
  },
  settings: {
    "triggers skipped": to(
      "settings",
      "ALTER DATABASE %DB% SET session_replication_role = replica",
      /^unexpected: set session_replication_role=replica for everybody in this database$/,
    ),
    "event triggers off for the server": to(
      "settings",
      "ALTER ROLE oc_app SET event_triggers = off",
      /^unexpected: set event_triggers=off for role oc_app$/,
      "ALTER ROLE oc_app RESET event_triggers",
    ),
    "commits that may be lost": to(
      "settings",
      "ALTER ROLE ALL SET synchronous_commit = off",
      /^unexpected: set synchronous_commit=off for everybody$/,
      "ALTER ROLE ALL RESET synchronous_commit",
    ),
    "commits that may be lost, for all databases": to(
      "settings",
      "ALTER SYSTEM SET synchronous_commit = off",
      /^unexpected: synchronous_commit is off$/,
      "ALTER SYSTEM RESET synchronous_commit",
    ),
    "another isolation": to(
      "settings",
      "ALTER DATABASE %DB% SET default_transaction_isolation = 'serializable'",
      /^unexpected: set default_transaction_isolation=serializable for everybody in this database$/,
    ),
    "another meaning of null": to(
      "settings",
      "ALTER DATABASE %DB% SET transform_null_equals = on",
      /^unexpected: set transform_null_equals=on /,
    ),
    "a library": to(
      "settings",
      "ALTER DATABASE %DB% SET session_preload_libraries = 'plpgsql'",
      /^unexpected: set session_preload_libraries=plpgsql /,
    ),
    "a migration that never ends": to(
      "settings",
      "ALTER DATABASE %DB% SET countersign.migration = 'on'",
      /^unexpected: set countersign\.migration=on /,
    ),
    "names of variables before columns": to(
      "settings",
      "ALTER DATABASE %DB% SET plpgsql.variable_conflict = use_variable",
      /^unexpected: set plpgsql\.variable_conflict=use_variable /,
    ),
  },
};
