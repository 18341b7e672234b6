/** What is done to a database, what the report has to name, and what undoes it on the server, if it reaches beyond the database. */
export interface Manipulation {
  /** By a superuser who switched event triggers off. `%DB%` is the database. */
  readonly sql: string;
  readonly object: string;
  readonly problem: RegExp;
  readonly undo?: string;
}

const to = (object: string, sql: string, problem: RegExp, undo?: string): Manipulation => ({
  sql,
  object,
  problem,
  ...(undo === undefined ? {} : { undo }),
});

const REWRITE_STATE = `
  CREATE SCHEMA lies; CREATE VIEW lies.pg_class AS SELECT * FROM pg_catalog.pg_class;
  CREATE VIEW lies.pg_trigger AS SELECT oid, tgrelid, tgname, 'A'::"char" AS tgenabled, tgisinternal FROM pg_catalog.pg_trigger;
  GRANT USAGE ON SCHEMA lies TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA lies TO PUBLIC;
  ALTER TABLE oc_audit_log DISABLE TRIGGER ALL; ALTER FUNCTION oc_guard.state() SET search_path = lies, pg_catalog`;

/** By class. The first of each is also tried through the command line. */
export const MANIPULATIONS: Readonly<Record<string, Readonly<Record<string, Manipulation>>>> = {
  "functions and operators of PostgreSQL": {
    "sha256 in SQL": to(
      "pg_catalog",
      "CREATE OR REPLACE FUNCTION pg_catalog.sha256(bytea) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1'",
      /^unexpected: function sha256\(bytea\) sql /,
    ),
    "octet_length of another body": to(
      "pg_catalog",
      "CREATE OR REPLACE FUNCTION pg_catalog.octet_length(text) RETURNS integer LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textlen'",
      /^unexpected: function octet_length\(text\) internal textlen$/,
    ),
    "convert_to in PL/pgSQL": to(
      "pg_catalog",
      "CREATE OR REPLACE FUNCTION pg_catalog.convert_to(text, name) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT AS 'BEGIN RETURN ''''; END'",
      /^unexpected: function convert_to\(text,name\) plpgsql /,
    ),
    "a function that nothing names, of another body": to(
      "pg_catalog",
      "CREATE OR REPLACE FUNCTION pg_catalog.upper(text) RETURNS text LANGUAGE internal IMMUTABLE STRICT AS 'lower'",
      /^unexpected: compiled functions sha256 /,
    ),
    "encode with settings": to(
      "pg_catalog",
      "ALTER FUNCTION pg_catalog.encode(bytea, text) SET search_path = public",
      /^unexpected: function encode\(bytea,text\) internal binary_encode with settings of its own$/,
    ),
    "sha256 of another owner": to(
      "pg_catalog",
      "ALTER FUNCTION pg_catalog.sha256(bytea) OWNER TO oc_app",
      /^unexpected: function sha256\(bytea\) internal sha256_bytea of another owner$/,
    ),
    "an overload of sha256": to(
      "pg_catalog",
      "CREATE FUNCTION pg_catalog.sha256(text) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$",
      /^unexpected: function sha256\(text\) sql /,
    ),
    "an SQL function of PostgreSQL with another body": to(
      "pg_catalog",
      "CREATE OR REPLACE FUNCTION pg_catalog.lpad(text, integer) RETURNS text LANGUAGE sql IMMUTABLE STRICT RETURN $1",
      /^unexpected: function lpad\(text,int4\) sql /,
    ),
    "an operator": to(
      "pg_catalog",
      `CREATE FUNCTION public.same(text, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT true';
       CREATE OPERATOR pg_catalog.= (FUNCTION = public.same, LEFTARG = text, RIGHTARG = uuid)`,
      /^unexpected: operator =\(text,uuid\) executes same\(text,uuid\)$/,
    ),
    "an operator that executes another function": to(
      "pg_catalog",
      `CREATE FUNCTION public.same(bytea, bytea) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
       UPDATE pg_catalog.pg_operator SET oprcode = 'public.same' WHERE oid = 'pg_catalog.=(bytea,bytea)'::regoperator`,
      /^unexpected: operator =\(bytea,bytea\) executes same\(bytea,bytea\)$/,
    ),
    "a cast": to(
      "pg_catalog",
      `CREATE FUNCTION public.bytes(text) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$;
       CREATE CAST (text AS bytea) WITH FUNCTION public.bytes(text) AS IMPLICIT`,
      /^unexpected: cast from text to bytea by bytes\(text\)$/,
    ),
    "an aggregate": to(
      "pg_catalog",
      `CREATE FUNCTION public.first(smallint, smallint) RETURNS smallint LANGUAGE sql AS 'SELECT $1';
       CREATE OR REPLACE AGGREGATE pg_catalog.max(smallint) (SFUNC = public.first, STYPE = smallint)`,
      /^unexpected: aggregate \d+ calls first\(int2,int2\), nothing$/,
    ),
    "what an index compares with": to(
      "pg_catalog",
      "UPDATE pg_catalog.pg_amproc SET amproc = 'btint42cmp' WHERE amproc = 'btint24cmp'::regproc",
      /^unexpected: pg_amproc sha256 /,
    ),
    "a type": to("pg_catalog", "CREATE DOMAIN pg_catalog.oid8 AS bigint", /^unexpected: type oid8$/),
    "a catalog with a view in its place": to(
      "pg_catalog",
      `SET allow_system_table_mods = on; ALTER TABLE pg_catalog.pg_policy RENAME TO pg_policy_aside;
       CREATE VIEW pg_catalog.pg_policy AS SELECT * FROM pg_catalog.pg_policy_aside; GRANT SELECT ON pg_catalog.pg_policy TO PUBLIC`,
      /^unexpected: pg_policy is another relation than the catalog$/,
    ),
    "the view of roles": to(
      "pg_catalog",
      `SET allow_system_table_mods = on;
       DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW pg_catalog.pg_roles AS '
         || replace(pg_get_viewdef('pg_roles'::regclass), 'pg_authid.rolsuper', 'false AS rolsuper'); END $$`,
      /^unexpected: view pg_roles /,
    ),
    "a language": to(
      "language mine",
      "CREATE LANGUAGE mine HANDLER pg_catalog.plpgsql_call_handler",
      /^unexpected: language calls plpgsql_call_handler\(\)|^unexpected: procedural language calls plpgsql_call_handler\(\)/,
    ),
    "the owner of an extension": to(
      "extension plpgsql",
      "UPDATE pg_catalog.pg_extension SET extowner = 'oc_app'::regrole WHERE extname = 'plpgsql'",
      /^unexpected: extension in pg_catalog owner oc_app$/,
    ),
  },
  "what shadows PostgreSQL": {
    "a function": to(
      "schema public",
      "CREATE FUNCTION public.sha256(text) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$",
      /^unexpected: function public\.sha256\(text\) shadows/,
    ),
    "a function that belongs to an extension": to(
      "schema public",
      `CREATE FUNCTION public.encode(text, text) RETURNS text LANGUAGE sql AS 'SELECT $1';
       ALTER EXTENSION plpgsql ADD FUNCTION public.encode(text, text)`,
      /^unexpected: function public\.encode\(text,text\) shadows/,
    ),
    "an operator": to(
      "schema public",
      `CREATE FUNCTION public.same(text, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT true';
       CREATE OPERATOR public.= (FUNCTION = public.same, LEFTARG = text, RIGHTARG = uuid)`,
      /^unexpected: operator public\.=\(text,uuid\) shadows/,
    ),
    "a type of ours": to("schema public", "CREATE DOMAIN public.oc_text AS text", /^unexpected: type oc_text$/),
  },
  "functions of ours": {
    "the reporter, with other views": to(
      "oc_guard.state()",
      REWRITE_STATE,
      /^unexpected: function sql owner superuser .* set search_path=lies, pg_catalog /,
    ),
    "the message of refusals": to(
      "public.oc_refuse_change()",
      "CREATE OR REPLACE FUNCTION oc_refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NULL; END'",
      /^unexpected: function plpgsql owner oc_owner returns trigger volatility v set search_path=pg_catalog, pg_temp sha256 /,
    ),
    "no more rights for the append": to(
      "public.oc_ledger_append(text,text,text,text,bigint,uuid)",
      "ALTER FUNCTION oc_ledger_append(text, text, text, text, bigint, uuid) SECURITY INVOKER",
      /^unexpected: function sql owner oc_owner returns TABLE/,
    ),
    "a leakproof function": to(
      "public.oc_search_fold(text)",
      "ALTER FUNCTION oc_search_fold(text) LEAKPROOF",
      /^unexpected: function sql owner oc_owner returns text volatility i strict leakproof/,
    ),
    "another owner": to(
      "public.oc_check_links()",
      "ALTER FUNCTION oc_check_links() OWNER TO oc_app",
      /^unexpected: function plpgsql owner oc_app/,
    ),
    "an overload": to(
      "public.oc_ledger_append(text,text)",
      "CREATE FUNCTION oc_ledger_append(text, text) RETURNS void LANGUAGE sql AS ''",
      /^unexpected: function sql owner superuser/,
    ),
    "a right to call": to(
      "public.oc_make_month(text,date,regclass)",
      "GRANT EXECUTE ON FUNCTION oc_make_month(text, date, regclass) TO PUBLIC",
      /^unexpected: grant EXECUTE to PUBLIC$/,
    ),
    "a function among the working tables": to(
      "oc_work.act()",
      "CREATE FUNCTION oc_work.act() RETURNS void LANGUAGE sql AS ''",
      /^unexpected: function sql/,
    ),
    "one that is missing": to("oc_guard.problems()", "DROP FUNCTION oc_guard.problems()", /^missing: function sql/),
  },
  tables: {
    "a trigger disabled": to(
      "public.oc_audit_log_default",
      "ALTER TABLE oc_audit_log_default DISABLE TRIGGER oc_refuse_statement",
      /^unexpected: trigger disabled CREATE TRIGGER oc_refuse_statement/,
    ),
    "a trigger dropped": to(
      "public.oc_ledger_head",
      "DROP TRIGGER oc_refuse_row ON oc_ledger_head",
      /^missing: trigger always CREATE TRIGGER oc_refuse_row/,
    ),
    "a trigger said to be PostgreSQL's": to(
      "public.oc_state",
      `CREATE TRIGGER meddle BEFORE UPDATE ON oc_state FOR EACH ROW EXECUTE FUNCTION oc_refuse_month();
       UPDATE pg_catalog.pg_trigger SET tgisinternal = true WHERE tgname = 'meddle'`,
      /^unexpected: internal trigger not for replicas CREATE TRIGGER meddle/,
    ),
    "triggers that PostgreSQL does not look for": to(
      "public.oc_audit_log",
      "UPDATE pg_catalog.pg_class SET relhastriggers = false WHERE relname = 'oc_audit_log'",
      /^unexpected: partitioned table owner oc_owner row-level security triggers switched off$/,
    ),
    "checks that PostgreSQL does not look for": to(
      "public.oc_audit_log_default",
      "UPDATE pg_catalog.pg_class SET relchecks = 0 WHERE relname = 'oc_audit_log_default'",
      /^unexpected: table owner oc_owner .* 0 of 4 checks$/,
    ),
    "a constraint dropped": to(
      "public.oc_audit_log",
      "ALTER TABLE oc_audit_log DROP CONSTRAINT oc_audit_log_hash",
      /^missing: constraint oc_audit_log_hash/,
    ),
    "a constraint put back for new rows alone": to(
      "public.oc_state",
      `ALTER TABLE oc_state DROP CONSTRAINT oc_state_check;
       ALTER TABLE oc_state ADD CONSTRAINT oc_state_check CHECK (cardinality(entries) = version) NOT VALID`,
      /^unexpected: constraint oc_state_check .* not validated$/,
    ),
    "a constraint not enforced": to(
      "public.oc_ledger_head",
      "UPDATE pg_catalog.pg_constraint SET conenforced = false WHERE conname = 'oc_ledger_head_ledger_check'",
      /^unexpected: constraint oc_ledger_head_ledger_check .* not enforced$/,
    ),
    "a column that may be null": to(
      "public.oc_audit_payload",
      "ALTER TABLE oc_audit_payload ALTER COLUMN payload DROP NOT NULL",
      /^missing: column payload json not null$/,
    ),
    "a function as a default": to(
      "public.oc_audit_log",
      `CREATE FUNCTION public.act() RETURNS text LANGUAGE sql AS $$ SELECT '' $$;
       ALTER TABLE oc_audit_log ADD COLUMN remark text; ALTER TABLE oc_audit_log ALTER COLUMN remark SET DEFAULT public.act()`,
      /^unexpected: column remark text default public\.act\(\)$/,
    ),
    "a generated column": to(
      "public.oc_state",
      "ALTER TABLE oc_state ADD COLUMN remark text GENERATED ALWAYS AS (upper(id)) STORED",
      /^unexpected: column remark text generated s default upper\(id\)$/,
    ),
    "a column whose type runs code": to(
      "public.oc_ledger_month",
      `CREATE FUNCTION public.act(text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
       CREATE DOMAIN public.checked AS text CHECK (public.act(VALUE)); ALTER TABLE oc_ledger_month ADD COLUMN remark public.checked`,
      /^unexpected: column remark public\.checked$/,
    ),
    "an index that runs code": to(
      "public.oc_state",
      `CREATE FUNCTION public.act(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
       CREATE INDEX remark ON oc_state (public.act(id))`,
      /^unexpected: index CREATE INDEX remark ON public\.oc_state/,
    ),
    "an index that runs code, part by part": to(
      "public.oc_audit_log_default",
      `CREATE FUNCTION public.act(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
       CREATE INDEX remark ON oc_audit_log (public.act(type))`,
      /^unexpected: index part of public\.remark$/,
    ),
    "an index dropped": to(
      "public.oc_audit_log_default",
      "DROP INDEX oc_audit_log_default_prev_hash",
      /^missing: index unique public\.oc_audit_log_default_prev_hash on prev_hash, ledger /,
    ),
    "an index that is not used": to(
      "public.oc_state",
      "UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'oc_state_pkey'::regclass",
      /^missing: index CREATE UNIQUE INDEX oc_state_pkey/,
    ),
    "an index that is not unique any more": to(
      "public.oc_audit_log_default",
      "UPDATE pg_catalog.pg_index SET indisunique = false WHERE indexrelid = 'oc_audit_log_default_seq'::regclass",
      /^missing: index unique public\.oc_audit_log_default_seq /,
    ),
    "a part of an index unlike the whole": to(
      "public.oc_audit_log_default",
      `UPDATE pg_catalog.pg_index SET indpred = NULL WHERE indrelid = 'oc_audit_log_default'::regclass
          AND indexrelid IN (SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = 'oc_audit_log_tool'::regclass)`,
      /^missing: index part of public\.oc_audit_log_tool$/,
    ),
    "a rule": to(
      "public.oc_audit_payload",
      "CREATE RULE quiet AS ON INSERT TO oc_audit_payload DO INSTEAD NOTHING",
      /^unexpected: rule not for replicas CREATE RULE quiet/,
    ),
    "a policy": to(
      "public.oc_audit_log",
      "CREATE POLICY hide ON oc_audit_log AS RESTRICTIVE FOR SELECT TO oc_app USING (seq <> 5)",
      /^unexpected: policy hide restrictive for r to oc_app using \(seq <> 5\)$/,
    ),
    "a policy for more": to(
      "public.oc_state",
      "ALTER POLICY oc_report ON oc_state USING (true)",
      /^unexpected: policy oc_report for r to oc_reporting using true$/,
    ),
    "row-level security disabled": to(
      "public.oc_state",
      "ALTER TABLE oc_state DISABLE ROW LEVEL SECURITY",
      /^missing: table owner oc_owner row-level security$/,
    ),
    "row-level security that binds the owner": to(
      "public.oc_audit_log",
      "ALTER TABLE oc_audit_log FORCE ROW LEVEL SECURITY",
      /forced row-level security$/,
    ),
    "a table of another owner": to(
      "public.oc_bi_access",
      "ALTER TABLE oc_bi_access OWNER TO oc_app",
      /^unexpected: table owner oc_app$/,
    ),
    "a table that is not logged": to(
      "oc_work.probe",
      "ALTER TABLE oc_work.probe SET UNLOGGED",
      /owner oc_owner not logged$/,
    ),
    "a view of other rows": to(
      "public.oc_report_lineage",
      `DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW oc_report_lineage AS ' || replace(pg_get_viewdef('oc_report_lineage'::regclass),
         'ACTION_PROPOSED', 'ACTION_ALTERED'); END $$`,
      /^unexpected: definition sha256 /,
    ),
    "a view with the rights of its owner": to(
      "public.oc_action",
      "ALTER VIEW oc_action RESET (security_invoker)",
      /^unexpected: view owner oc_owner$/,
    ),
    "an inheritance child": to(
      "public.ghosts",
      "CREATE TABLE ghosts () INHERITS (oc_state)",
      /^unexpected: table owner superuser part of public\.oc_state$/,
    ),
    "a partition detached": to(
      "public.oc_audit_payload_default",
      "ALTER TABLE oc_audit_payload DETACH PARTITION oc_audit_payload_default",
      /^unexpected: table owner oc_owner$/,
    ),
    "a table renamed": to(
      "public.oc_ledger_month",
      "ALTER TABLE oc_ledger_month RENAME TO oc_ledger_weeks; CREATE VIEW oc_ledger_month AS SELECT * FROM oc_ledger_weeks; GRANT SELECT ON oc_ledger_month TO PUBLIC",
      /^missing: table owner oc_owner$/,
    ),
  },
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
  "event triggers": {
    "one dropped": to("event trigger oc_guard_drop", "DROP EVENT TRIGGER oc_guard_drop", /^missing: /),
    "one disabled": to(
      "event trigger oc_guard_ddl",
      "ALTER EVENT TRIGGER oc_guard_ddl DISABLE",
      /^unexpected: event trigger disabled/,
    ),
    "one for a few commands": to(
      "event trigger oc_guard_ddl",
      `DROP EVENT TRIGGER oc_guard_ddl;
       CREATE EVENT TRIGGER oc_guard_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION oc_guard.on_ddl();
       ALTER EVENT TRIGGER oc_guard_ddl ENABLE ALWAYS`,
      /^unexpected: event trigger always .* for CREATE TABLE$/,
    ),
    "one of somebody else's": to(
      "event trigger listen",
      `CREATE FUNCTION public.listen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
       CREATE EVENT TRIGGER listen ON login EXECUTE FUNCTION public.listen()`,
      /^unexpected: event trigger not for replicas on login executes public\.listen\(\)/,
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
