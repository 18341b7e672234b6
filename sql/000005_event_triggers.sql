-- What keeps the guards themselves in place: event triggers that refuse, outside a migration, whatever would weaken
-- them. They hold for oc_owner and for a superuser, also with session_replication_role = replica.
--
-- oc_guard.state() reads from the catalog what guards the ledger, as facts. oc_guard.baseline keeps the facts of the
-- last migration. After every command that changes the catalog the two are compared: what is missing, or was added
-- where nothing may be, makes the command fail. Columns, unique indexes and plain indexes may be added.
--
-- The functions are in a separate schema: DROP SCHEMA public CASCADE would otherwise drop the triggers that refuse it before
-- they fire. A migration that changes a guard ends with SELECT oc_guard.record().
--
-- What a superuser can still do (drop or disable an event trigger, SET event_triggers = off, replace these functions) is why no
-- verdict rests on them: verification reads the catalog itself (src/ledger/guards) and compares it with facts shipped in the
-- code. And it is why heads are kept outside the database.

CREATE SCHEMA oc_guard;
GRANT USAGE ON SCHEMA oc_guard TO PUBLIC;

CREATE TABLE oc_guard.baseline (
  class text    NOT NULL,
  fact  text    NOT NULL,
  open  boolean NOT NULL,
  PRIMARY KEY (class, fact)
);
COMMENT ON TABLE oc_guard.baseline IS 'The facts oc_guard.state() answered at the end of the last migration.';
GRANT SELECT ON oc_guard.baseline TO PUBLIC;

-- The tables that only the ledger's functions may write. src/ledger/tables.ts has the same list; a test compares them.
CREATE FUNCTION oc_guard.names() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN ARRAY['oc_audit_log', 'oc_audit_payload', 'oc_ledger_head', 'oc_ledger_month', 'oc_state', 'oc_lineage_edge'];

-- The ledger's tables and everything that inherits from one of them, partitions included.
CREATE FUNCTION oc_guard.tables() RETURNS TABLE (oid oid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH RECURSIVE family AS (
    SELECT c.oid FROM pg_class c
     WHERE c.relnamespace = 'public'::regnamespace
       AND (c.relname = ANY (oc_guard.names())
            OR (c.relkind IN ('r', 'p') AND c.relname ~ '^oc_audit_(log|payload)_'))
    UNION
    SELECT i.inhrelid FROM pg_inherits i JOIN family f ON f.oid = i.inhparent
  )
  SELECT f.oid FROM family f JOIN pg_class c ON c.oid = f.oid WHERE c.relkind NOT IN ('i', 'I')
$$;

-- One row a fact. `class` is the object, with partitions of one month taken together: each must have the facts of its
-- class. Of an `open` kind of fact an object may have more than its class; of any other, exactly those.
CREATE FUNCTION oc_guard.state() RETURNS TABLE (object text, class text, fact text, open boolean)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET quote_all_identifiers = off SET jit = off
AS $$
  WITH family AS MATERIALIZED (SELECT t.oid FROM oc_guard.tables() t),
  member AS (
    SELECT c.*, c.oid::regclass::text AS object,
           regexp_replace(c.oid::regclass::text, '^(public\.oc_audit_(log|payload))_\d{4}_\d\d$', '\1_<month>') AS class,
           substring(c.oid::regclass::text FROM '^public\.oc_audit_(?:log|payload)_(\d{4}_\d\d)$') AS month,
           (SELECT string_agg(i.inhparent::regclass || CASE WHEN i.inhdetachpending THEN ' (detaching)' ELSE '' END, ', ')
              FROM pg_inherits i WHERE i.inhrelid = c.oid) AS parents
      FROM family t JOIN pg_class c ON c.oid = t.oid
  ),
  bound AS (
    SELECT m.*, CASE
             WHEN pg_get_expr(m.relpartbound, m.oid) = format('FOR VALUES FROM (%L) TO (%L)',
                    to_date(m.month, 'YYYY_MM')::text || ' 00:00:00+00',
                    (to_date(m.month, 'YYYY_MM') + interval '1 month')::date::text || ' 00:00:00+00')
             THEN 'its month' ELSE pg_get_expr(m.relpartbound, m.oid) END AS covers
      FROM member m
  ),
  on_table AS (
    SELECT b.oid, concat_ws(' ', CASE b.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table'
                                   ELSE 'relation of kind ' || b.relkind::text END,
             'owner', pg_get_userbyid(b.relowner), CASE b.relpersistence WHEN 'p' THEN NULL ELSE 'not logged' END,
             CASE WHEN b.relrowsecurity THEN 'row-level security' END,
             CASE WHEN b.relforcerowsecurity THEN 'forced row-level security' END,
             'part of ' || b.parents, 'for ' || b.covers) AS fact, false AS open
      FROM bound b
    UNION ALL
    SELECT a.attrelid, concat_ws(' ', 'column', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
             CASE WHEN a.attnotnull THEN 'not null' END, 'generated ' || nullif(a.attgenerated::text, ''),
             'default ' || pg_get_expr(d.adbin, d.adrelid)), true
      FROM family f JOIN pg_attribute a ON a.attrelid = f.oid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT k.conrelid, concat_ws(' ', 'constraint', quote_ident(k.conname), pg_get_constraintdef(k.oid),
             CASE WHEN NOT k.convalidated THEN 'not validated' END, CASE WHEN NOT k.conenforced THEN 'not enforced' END), false
      FROM family f JOIN pg_constraint k ON k.conrelid = f.oid WHERE k.contype <> 'n'
    UNION ALL
    SELECT x.indrelid, concat_ws(' ', 'index', pg_get_indexdef(x.indexrelid), CASE WHEN NOT x.indisvalid THEN 'invalid' END,
             CASE WHEN NOT x.indisready OR NOT x.indislive THEN 'not maintained' END), true
      FROM family f JOIN pg_index x ON x.indrelid = f.oid WHERE x.indisunique
    UNION ALL
    SELECT t.tgrelid, concat_ws(' ', 'trigger', CASE t.tgenabled WHEN 'A' THEN 'always' WHEN 'O' THEN 'not for replicas'
             WHEN 'R' THEN 'for replicas only' ELSE 'disabled' END, pg_get_triggerdef(t.oid)), false
      FROM family f JOIN pg_trigger t ON t.tgrelid = f.oid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT r.ev_class, 'rule ' || pg_get_ruledef(r.oid), false FROM family f JOIN pg_rewrite r ON r.ev_class = f.oid
    UNION ALL
    SELECT p.polrelid, concat_ws(' ', 'policy', quote_ident(p.polname), CASE WHEN NOT p.polpermissive THEN 'restrictive' END,
             'for', p.polcmd::text, 'to', (SELECT string_agg(CASE g WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g) END, ', ' ORDER BY 1)
                                             FROM unnest(p.polroles) g),
             'using ' || pg_get_expr(p.polqual, p.polrelid), 'with check ' || pg_get_expr(p.polwithcheck, p.polrelid)), false
      FROM family f JOIN pg_policy p ON p.polrelid = f.oid
    UNION ALL
    SELECT c.oid, concat_ws(' ', 'grant', g.privilege_type, 'to', CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END), false
      FROM family f JOIN pg_class c ON c.oid = f.oid, aclexplode(c.relacl) g WHERE g.privilege_type <> 'SELECT' AND g.grantee <> c.relowner
    UNION ALL
    SELECT a.attrelid, concat_ws(' ', 'grant', g.privilege_type, quote_ident(a.attname), 'to',
             CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END), false
      FROM family f JOIN pg_attribute a ON a.attrelid = f.oid, aclexplode(a.attacl) g WHERE g.privilege_type <> 'SELECT'
  ),
  routine AS (
    SELECT p.*, p.oid::regprocedure::text AS object, l.lanname
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
     WHERE n.nspname = 'oc_guard' OR (n.nspname = 'public' AND p.proname ~ '^oc_')
  )
  SELECT m.object, m.class,
         CASE WHEN m.month IS NULL THEN f.fact ELSE replace(f.fact, m.relname, left(m.relname, -7) || '<month>') END, f.open
    FROM member m JOIN on_table f ON f.oid = m.oid
  UNION ALL
  SELECT p.object, p.object, concat_ws(' ', 'function', p.lanname, 'owner', CASE WHEN r.rolsuper THEN 'superuser' ELSE r.rolname END,
           CASE WHEN p.prosecdef THEN 'security definer' END, 'returns', pg_get_function_result(p.oid),
           'volatility', p.provolatile, CASE WHEN p.proisstrict THEN 'strict' END, 'step ' || a.aggtransfn::regprocedure,
           'set ' || array_to_string(p.proconfig, ' set '),
           'sha256', encode(sha256(convert_to(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) || coalesce(p.probin, ''), 'UTF8')), 'hex')),
         false
    FROM routine p JOIN pg_roles r ON r.oid = p.proowner LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
  UNION ALL
  SELECT p.object, p.object, 'grant EXECUTE to ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END, false
    FROM routine p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g WHERE g.grantee <> p.proowner
  UNION ALL
  -- The append functions look names up in pg_catalog first, but a closer match in public would still win.
  SELECT 'schema public', 'schema public', 'function ' || p.oid::regprocedure || ' shadows one of PostgreSQL', false
    FROM pg_proc p
   WHERE p.pronamespace = 'public'::regnamespace
     AND EXISTS (SELECT FROM pg_proc q WHERE q.proname = p.proname AND q.pronamespace = 'pg_catalog'::regnamespace)
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
  UNION ALL
  SELECT 'schema public', 'schema public', 'operator ' || o.oid::regoperator || ' shadows one of PostgreSQL', false
    FROM pg_operator o
   WHERE o.oprnamespace = 'public'::regnamespace
     AND EXISTS (SELECT FROM pg_operator q WHERE q.oprname = o.oprname AND q.oprnamespace = 'pg_catalog'::regnamespace)
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e')
  UNION ALL
  SELECT 'schema ' || n.nspname, 'schema ' || n.nspname,
         'grant CREATE to ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END, false
    FROM pg_namespace n, aclexplode(n.nspacl) g
   WHERE n.nspname IN ('public', 'oc_guard') AND g.privilege_type = 'CREATE' AND g.grantee <> n.nspowner
  UNION ALL
  SELECT 'event trigger ' || e.evtname, 'event trigger ' || e.evtname, concat_ws(' ', 'event trigger',
           CASE e.evtenabled WHEN 'A' THEN 'always' WHEN 'O' THEN 'not for replicas' WHEN 'R' THEN 'for replicas only' ELSE 'disabled' END,
           'on', e.evtevent, 'executes', e.evtfoid::regprocedure, 'owner', CASE WHEN r.rolsuper THEN 'superuser' ELSE r.rolname END,
           'for ' || array_to_string(e.evttags, ', ')), false
    FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_roles r ON r.oid = e.evtowner
   WHERE n.nspname = 'oc_guard'
  UNION ALL
  SELECT 'role ' || r.rolname, 'role ' || r.rolname, power, false
    FROM pg_roles r, LATERAL (VALUES
           (CASE WHEN r.rolsuper THEN 'is a superuser' END), (CASE WHEN r.rolbypassrls THEN 'bypasses row-level security' END),
           (CASE WHEN r.rolcreaterole THEN 'may create roles' END), (CASE WHEN r.rolreplication THEN 'may replicate' END),
           (CASE WHEN r.rolname = 'oc_owner' AND r.rolcanlogin THEN 'may log in' END)) v(power)
   WHERE r.rolname IN ('oc_owner', 'oc_app', 'oc_auditor', 'oc_bi', 'oc_reporting') AND power IS NOT NULL
  UNION ALL
  SELECT 'role ' || m.rolname, 'role ' || m.rolname, 'member of ' || g.rolname, false
    FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.roleid
   WHERE m.rolname IN ('oc_owner', 'oc_app', 'oc_auditor', 'oc_bi', 'oc_reporting')
     AND g.rolname IN ('oc_owner', 'pg_write_all_data', 'pg_maintain', 'pg_execute_server_program', 'pg_write_server_files')
  UNION ALL
  SELECT 'settings', 'settings', concat_ws(' ', 'set', split_part(s.setting, '=', 1), 'for',
           coalesce('role ' || pg_get_userbyid(nullif(d.setrole, 0)), 'everybody')), false
    FROM pg_db_role_setting d, unnest(d.setconfig) AS s(setting)
   WHERE split_part(s.setting, '=', 1) IN ('session_replication_role', 'event_triggers', 'countersign.migration')
     AND d.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
$$;

-- How the state differs from the baseline; no row when every guard is in place.
CREATE FUNCTION oc_guard.problems() RETURNS TABLE (object text, problem text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
  WITH state AS MATERIALIZED (SELECT * FROM oc_guard.state())
  SELECT o.object, 'missing: ' || b.fact
    FROM oc_guard.baseline b
    JOIN (SELECT DISTINCT s.object, s.class FROM state s
          UNION
          SELECT x.class, x.class FROM oc_guard.baseline x WHERE x.class NOT LIKE '%<month>') o ON o.class = b.class
   WHERE NOT EXISTS (SELECT FROM state s WHERE s.object = o.object AND s.fact = b.fact)
  UNION ALL
  SELECT s.object, 'unexpected: ' || s.fact
    FROM state s
   WHERE NOT s.open AND NOT EXISTS (SELECT FROM oc_guard.baseline b WHERE b.class = s.class AND b.fact = s.fact)
  ORDER BY 1, 2
$$;

-- Takes the present state as the one to keep. For migrations alone.
CREATE FUNCTION oc_guard.record() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  DELETE FROM oc_guard.baseline;
  INSERT INTO oc_guard.baseline (class, fact, open) SELECT DISTINCT s.class, s.fact, s.open FROM oc_guard.state() s;
END
$$;
REVOKE ALL ON FUNCTION oc_guard.record() FROM PUBLIC;

-- ddl_command_end: nothing that guards the ledger may be weaker after a command than before it. A missing event trigger,
-- or a role's power, is for the report: it must not stand in the way of every other command.
CREATE FUNCTION oc_guard.on_ddl() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  weak record;
BEGIN
  IF current_setting('countersign.migration', true) = 'on' THEN
    RETURN;
  END IF;
  SELECT p.object, p.problem INTO weak
    FROM oc_guard.problems() p WHERE p.object !~ '^(event trigger |role |settings$)' LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION '% is refused: it weakens what guards the audit ledger (%: %)', tg_tag, weak.object, weak.problem
      USING ERRCODE = 'OC403';
  END IF;
END
$$;

-- ddl_command_end: guards the functions of on_ddl, which could otherwise be replaced by ones that find nothing.
CREATE FUNCTION oc_guard.on_function() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  touched text;
BEGIN
  IF current_setting('countersign.migration', true) = 'on' THEN
    RETURN;
  END IF;
  SELECT c.object_identity INTO touched
    FROM pg_event_trigger_ddl_commands() c LEFT JOIN pg_proc p ON c.classid = 'pg_proc'::regclass AND p.oid = c.objid
   WHERE c.schema_name = 'oc_guard' OR (c.schema_name = 'public' AND p.proname ~ '^oc_')
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION '% is refused: % guards the audit ledger', tg_tag, touched USING ERRCODE = 'OC403';
  END IF;
END
$$;

-- sql_drop: nothing of the guards goes, nor of the tables they guard. Of columns and indexes on_ddl knows which may.
CREATE FUNCTION oc_guard.on_drop() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  dropped text;
BEGIN
  IF current_setting('countersign.migration', true) = 'on' THEN
    RETURN;
  END IF;
  SELECT d.object_identity INTO dropped
    FROM pg_event_trigger_dropped_objects() d
   WHERE d.object_type NOT IN ('index', 'table column', 'default value')
     AND (d.address_names[1] = 'oc_guard'
          OR (d.address_names[1] = 'public' AND d.address_names[2] ~ '^oc_'))
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION '% is refused: % belongs to the audit ledger', tg_tag, dropped USING ERRCODE = 'OC403';
  END IF;
END
$$;

-- table_rewrite: no row trigger fires while ALTER TABLE writes every row anew.
CREATE FUNCTION oc_guard.on_rewrite() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF current_setting('countersign.migration', true) = 'on' THEN
    RETURN;
  END IF;
  IF pg_event_trigger_table_rewrite_oid() IN (SELECT t.oid FROM oc_guard.tables() t) THEN
    RAISE EXCEPTION '% is refused: it would rewrite %, which belongs to the audit ledger', tg_tag,
      pg_event_trigger_table_rewrite_oid()::regclass USING ERRCODE = 'OC403';
  END IF;
END
$$;

-- Event triggers need a superuser. Without one the migration goes on, and the guard report names what is missing.
DO $$
DECLARE
  wanted record;
BEGIN
  FOR wanted IN
    SELECT * FROM (VALUES ('oc_guard_ddl', 'ddl_command_end', 'on_ddl'), ('oc_guard_function', 'ddl_command_end', 'on_function'),
                          ('oc_guard_drop', 'sql_drop', 'on_drop'), ('oc_guard_rewrite', 'table_rewrite', 'on_rewrite'))
                  AS w(name, event, function)
  LOOP
    EXECUTE format('CREATE EVENT TRIGGER %I ON %s EXECUTE FUNCTION oc_guard.%I()', wanted.name, wanted.event, wanted.function);
    EXECUTE format('ALTER EVENT TRIGGER %I ENABLE ALWAYS', wanted.name);
  END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE WARNING 'event triggers need a superuser: changes of the schema can weaken what guards the ledger';
END
$$;

SELECT oc_guard.record();
