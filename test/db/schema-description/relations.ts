import { grants, isOurSchema, roleName } from "./lines.ts";

/** Tables, partitions, views and sequences: what they are, without what hangs on them. */
const heads = `
  SELECT c.title AS object, 0 AS section, '' AS place, concat_ws(' ',
           CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence'
             WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE c.relkind::text END,
           c.title, 'owner', ${roleName("c.relowner")},
           CASE c.relpersistence WHEN 'u' THEN 'unlogged' WHEN 't' THEN 'temporary' END,
           CASE WHEN c.relkind = 'p' THEN 'by ' || pg_get_partkeydef(c.oid) END,
           CASE WHEN c.relispartition THEN 'partition ' || pg_get_expr(c.relpartbound, c.oid) END,
           CASE WHEN c.relrowsecurity THEN 'row level security' END,
           CASE WHEN c.relforcerowsecurity THEN 'forced on its owner' END,
           CASE WHEN c.relreplident NOT IN ('d', 'n') THEN 'replica identity ' || c.relreplident::text END,
           'with (' || array_to_string(c.reloptions, ', ') || ')') AS text
    FROM relation c
  UNION ALL
  SELECT c.title, 1, to_char(i.inhseqno, '000'), 'inherits ' || i.inhparent::regclass
    FROM relation c JOIN pg_inherits i ON i.inhrelid = c.oid
  UNION ALL
  SELECT c.title, 1, 'comment', 'comment ' || obj_description(c.oid, 'pg_class')
    FROM relation c WHERE obj_description(c.oid, 'pg_class') IS NOT NULL
  UNION ALL
  SELECT c.title, 9, '', 'as ' || btrim(pg_get_viewdef(c.oid)) FROM relation c WHERE c.relkind IN ('v', 'm')
  UNION ALL
  SELECT c.title, 8, g.text, g.text
    FROM relation c, ${grants("c.relacl", "acldefault(CASE WHEN c.relkind = 'S' THEN 's' ELSE 'r' END::\"char\", c.relowner)")} g
  UNION ALL
  SELECT c.title, 2, '', format('%s from %s by %s, %s to %s, cache %s%s', format_type(s.seqtypid, NULL), s.seqstart,
           s.seqincrement, s.seqmin, s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN ', cycles' END)
    FROM relation c JOIN pg_sequence s ON s.seqrelid = c.oid`;

const columns = `
  SELECT c.title, 2, to_char(a.attnum, '0000'), concat_ws(' ', 'column', a.attname, format_type(a.atttypid, a.atttypmod),
           CASE WHEN a.attcollation <> t.typcollation THEN 'collate ' || a.attcollation::regcollation END,
           CASE WHEN a.attnotnull THEN 'not null' END,
           CASE a.attgenerated WHEN 's' THEN 'generated stored' WHEN 'v' THEN 'generated virtual' END,
           CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END,
           'default ' || pg_get_expr(d.adbin, d.adrelid),
           CASE WHEN a.attstorage <> t.typstorage THEN 'storage ' || a.attstorage::text END,
           CASE WHEN a.attcompression <> '' THEN 'compression ' || a.attcompression::text END,
           'comment ' || col_description(c.oid, a.attnum))
    FROM relation c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind <> 'S'
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  UNION ALL
  SELECT c.title, 8, a.attname || g.text, 'column ' || a.attname || ': ' || g.text
    FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL,
         ${grants("a.attacl", "a.attacl")} g`;

/** NOT NULL stands with its column; everything else that checks, orders or reacts. */
const attachments = `
  SELECT c.title, 3, k.conname, concat_ws(' ', 'constraint', k.conname, pg_get_constraintdef(k.oid),
           CASE WHEN NOT k.convalidated THEN 'not validated' END, CASE WHEN NOT k.conenforced THEN 'not enforced' END)
    FROM relation c JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype NOT IN ('n', 't')
  UNION ALL
  SELECT c.title, 4, i.relname, concat_ws(' ', 'index', pg_get_indexdef(x.indexrelid),
           CASE WHEN NOT x.indisvalid THEN 'invalid' END)
    FROM relation c JOIN pg_index x ON x.indrelid = c.oid JOIN pg_class i ON i.oid = x.indexrelid
  UNION ALL
  SELECT c.title, 5, t.tgname, concat_ws(' ', 'trigger',
           CASE t.tgenabled WHEN 'A' THEN '[always]' WHEN 'O' THEN '[origin]' WHEN 'R' THEN '[replica]' ELSE '[DISABLED]' END,
           pg_get_triggerdef(t.oid), CASE WHEN t.tgparentid <> 0 THEN '(from its parent)' END)
    FROM relation c JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
  UNION ALL
  SELECT c.title, 6, p.polname, concat_ws(' ', 'policy', p.polname, CASE WHEN NOT p.polpermissive THEN 'restrictive' END,
           'for', p.polcmd::text, 'to', (SELECT string_agg(${roleName("grantee")}, ', ') FROM unnest(p.polroles) grantee),
           'using ' || pg_get_expr(p.polqual, p.polrelid), 'with check ' || pg_get_expr(p.polwithcheck, p.polrelid))
    FROM relation c JOIN pg_policy p ON p.polrelid = c.oid
  UNION ALL
  SELECT c.title, 7, r.rulename, concat_ws(' ', 'rule', '[' || r.ev_enabled::text || ']', pg_get_ruledef(r.oid))
    FROM relation c JOIN pg_rewrite r ON r.ev_class = c.oid AND r.rulename <> '_RETURN'`;

export const relations = `
  WITH relation AS (
    SELECT *, oid::regclass::text AS title FROM pg_class WHERE relnamespace ${isOurSchema} AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  ) ${heads} UNION ALL ${columns} UNION ALL ${attachments}`;
