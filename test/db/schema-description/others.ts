import { grants, isOurSchema, roleName } from "./lines.ts";

/** Roles belong to the whole server; only ours are described, and who among them may act as whom. */
export const roles = `
  SELECT r.rolname AS object, 0 AS section, '' AS place, concat_ws(' ', 'role', r.rolname,
           CASE WHEN r.rolcanlogin THEN 'login' ELSE 'nologin' END, CASE WHEN r.rolinherit THEN 'inherit' ELSE 'noinherit' END,
           CASE WHEN r.rolsuper THEN 'SUPERUSER' END, CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
           CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END, CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
           CASE WHEN r.rolreplication THEN 'REPLICATION' END) AS text
    FROM pg_roles r WHERE r.rolname ~ '^oc_'
  UNION ALL
  SELECT m.rolname, 1, g.rolname, concat_ws(' ', 'member of', g.rolname, CASE WHEN a.admin_option THEN 'with admin' END,
           CASE WHEN a.inherit_option THEN 'inheriting' END, CASE WHEN a.set_option THEN 'may set role' END)
    FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member AND m.rolname ~ '^oc_' JOIN pg_roles g ON g.oid = a.roleid
  UNION ALL
  SELECT r.rolname, 2, setting, 'set ' || setting
    FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole AND r.rolname ~ '^oc_', unnest(s.setconfig) setting`;

/** The schemas, rights that objects to come will have, extensions and types that are not a table's. */
export const schemas = `
  SELECT n.nspname AS object, 0 AS section, '' AS place, concat_ws(' ', 'schema', n.nspname, 'owner', ${roleName("n.nspowner")}) AS text
    FROM pg_namespace n WHERE n.oid ${isOurSchema}
  UNION ALL
  SELECT n.nspname, 1, g.text, g.text
    FROM pg_namespace n, ${grants("n.nspacl", "acldefault('n', n.nspowner)")} g WHERE n.oid ${isOurSchema}
  UNION ALL
  SELECT coalesce(n.nspname, 'public'), 2, g.text,
         concat_ws(' ', 'default for', d.defaclobjtype::text, 'of', ${roleName("d.defaclrole")}, g.text)
    FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, ${grants("d.defaclacl", "d.defaclacl")} g
  UNION ALL
  SELECT e.extname, 0, '', concat_ws(' ', 'extension', e.extname) FROM pg_extension e WHERE e.extname <> 'plpgsql'
  UNION ALL
  SELECT format_type(t.oid, NULL), 0, '', concat_ws(' ', CASE t.typtype WHEN 'd' THEN 'domain' WHEN 'e' THEN 'enum' WHEN 'r' THEN 'range' ELSE 'type' END,
           format_type(t.oid, NULL), 'owner', ${roleName("t.typowner")}, 'over ' || format_type(nullif(t.typbasetype, 0), t.typtypmod),
           (SELECT '(' || string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder) || ')'
              FROM pg_enum l WHERE l.enumtypid = t.oid))
    FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
   WHERE t.typnamespace ${isOurSchema} AND t.typcategory <> 'A' AND (t.typrelid = 0 OR c.relkind = 'c')
  UNION ALL
  SELECT format_type(t.oid, NULL), 1, k.conname, 'constraint ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid AND t.typnamespace ${isOurSchema}`;

export const functions = `
  WITH routine AS (
    SELECT p.*, p.oid::regprocedure::text AS signature FROM pg_proc p WHERE p.pronamespace ${isOurSchema}
  )
  SELECT p.signature AS object, 0 AS section, '' AS place, concat_ws(' ',
           CASE p.prokind WHEN 'f' THEN 'function' WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'window function' END,
           format('%s(%s)', p.oid::regproc, pg_get_function_arguments(p.oid)), 'returns ' || pg_get_function_result(p.oid)) AS text
    FROM routine p
  UNION ALL
  SELECT p.signature, 1, '', concat_ws(' ', 'language', l.lanname, 'owner', ${roleName("p.proowner")},
           CASE WHEN p.prosecdef THEN 'SECURITY DEFINER' ELSE 'security invoker' END,
           CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
           CASE WHEN p.proisstrict THEN 'strict' END, CASE WHEN p.proleakproof THEN 'leakproof' END,
           'parallel ' || CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END)
    FROM routine p JOIN pg_language l ON l.oid = p.prolang
  UNION ALL
  SELECT p.signature, 2, setting, 'set ' || setting FROM routine p, unnest(p.proconfig) setting
  UNION ALL
  SELECT p.signature, 3, g.text, g.text FROM routine p, ${grants("p.proacl", "acldefault('f', p.proowner)")} g
  UNION ALL
  SELECT p.signature, 4, '', concat_ws(' ', 'steps', a.aggtransfn::regproc, 'over', format_type(a.aggtranstype, NULL),
           'from ' || a.agginitval, 'ends with ' || nullif(a.aggfinalfn, 0)::regproc)
    FROM routine p JOIN pg_aggregate a ON a.aggfnoid = p.oid
  UNION ALL
  SELECT p.signature, 5, '', 'body ' || coalesce(pg_get_function_sqlbody(p.oid), rtrim(p.prosrc, E'\\n'))
    FROM routine p WHERE p.prokind <> 'a'`;

export const eventTriggers = `
  SELECT e.evtname AS object, 0 AS section, '' AS place, concat_ws(' ', 'event trigger',
           CASE e.evtenabled WHEN 'A' THEN '[always]' WHEN 'O' THEN '[origin]' WHEN 'R' THEN '[replica]' ELSE '[DISABLED]' END,
           e.evtname, 'on', e.evtevent, 'owner', ${roleName("e.evtowner")}, 'executes', e.evtfoid::regprocedure,
           'for ' || array_to_string(e.evttags, ', ')) AS text
    FROM pg_event_trigger e`;
