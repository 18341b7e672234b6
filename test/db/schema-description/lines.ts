// The catalog queries of ../schema-description.ts. A line says whatever a migration can change about its object, and nothing
// that differs between two installations of the same schema: no OIDs, no dates, no name of whoever migrated.

/** One line of the description of one object; lines of an object are ordered by section, then by place. */
export interface Line {
  readonly object: string;
  readonly section: number;
  readonly place: string;
  readonly text: string;
}

/** SQL condition on the OID of a schema: not one of PostgreSQL's own. */
export const isOurSchema =
  "IN (SELECT own.oid FROM pg_namespace own WHERE own.nspname !~ '^pg_' AND own.nspname <> 'information_schema')";

/**
 * SQL for the name of role `oid`. Whoever migrates owns a few things under a name that differs between installations;
 * PUBLIC has no row.
 */
export function roleName(oid: string): string {
  return `(CASE WHEN ${oid} = 0 THEN 'PUBLIC' ELSE (SELECT CASE WHEN named.rolname ~ '^(oc|pg)_' THEN named.rolname::text
    ELSE '(migrating role)' END FROM pg_roles named WHERE named.oid = ${oid}) END)`;
}

/** SQL yielding one row `text` a grantee of an access control list, `fallback` standing for an absent one. */
export function grants(acl: string, fallback: string): string {
  return `LATERAL (SELECT 'grant ' || string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN ' (grantable)' ELSE '' END, ', '
             ORDER BY a.privilege_type) || ' to ' || ${roleName("a.grantee")} AS text
             FROM aclexplode(coalesce(${acl}, ${fallback})) a GROUP BY a.grantee)`;
}
