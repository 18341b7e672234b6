import { type Manipulations, to } from "./manipulations.ts";

const REWRITE_STATE = `
  CREATE SCHEMA lies; CREATE VIEW lies.pg_class AS SELECT * FROM pg_catalog.pg_class;
  CREATE VIEW lies.pg_trigger AS SELECT oid, tgrelid, tgname, 'A'::"char" AS tgenabled, tgisinternal FROM pg_catalog.pg_trigger;
  GRANT USAGE ON SCHEMA lies TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA lies TO PUBLIC;
  ALTER TABLE oc_audit_log DISABLE TRIGGER ALL; ALTER FUNCTION oc_guard.state() SET search_path = lies, pg_catalog`;

export const OF_CODE: Manipulations = {
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
};
