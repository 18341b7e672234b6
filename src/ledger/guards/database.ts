import {
  closed,
  GRANT,
  type Grant,
  type GuardFact,
  grantFact,
  grantsIn,
  identifier,
  ownerIn,
  type ReadRows,
  words,
} from "./fact.ts";

interface Named {
  readonly name: string;
}
interface Placed {
  readonly schema: string;
}
interface Owned extends Named {
  readonly owner: string;
}

const SCHEMAS = "('pg_catalog', 'public', 'oc_guard', 'oc_work', 'oc_bi')";
const SCHEMA_OWNERS = `
  SELECT n.nspname AS name, ${ownerIn("o")} AS owner
    FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles o ON o.oid = n.nspowner WHERE n.nspname IN ${SCHEMAS}`;
const SCHEMA_GRANTS = `
  SELECT n.nspname AS name, ${GRANT}
    FROM pg_catalog.pg_namespace n ${grantsIn("n.nspacl", "n.nspowner")} AND n.nspname IN ${SCHEMAS}`;

const DATABASE_OWNER = `
  SELECT d.datname AS name, ${ownerIn("o")} AS owner
    FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles o ON o.oid = d.datdba WHERE d.datname = pg_catalog.current_database()`;
/** Who may connect is for the operator to say. */
const DATABASE_GRANTS = `
  SELECT d.datname AS name, ${GRANT}
    FROM pg_catalog.pg_database d ${grantsIn("d.datacl", "d.datdba")}
     AND d.datname = pg_catalog.current_database() AND g_item.privilege_type = 'CREATE'`;

interface DefaultGrantRow extends Grant {
  readonly role: string;
  readonly schema: string | null;
  readonly kind: string;
}

const DEFAULT_GRANTS = `
  SELECT o.rolname AS role, n.nspname AS schema, d.defaclobjtype AS kind, ${GRANT}
    FROM pg_catalog.pg_default_acl d
    JOIN pg_catalog.pg_roles o ON o.oid = d.defaclrole
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
    ${grantsIn("d.defaclacl", "d.defaclrole")} AND (o.rolname LIKE 'oc\\_%' OR n.nspname IN ('oc_guard', 'oc_work', 'oc_bi'))`;

const EXTENSIONS = `
  SELECT e.extname AS name, ${ownerIn("o")} AS owner, n.nspname AS schema
    FROM pg_catalog.pg_extension e
    JOIN pg_catalog.pg_roles o ON o.oid = e.extowner
    JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace`;

/**
 * Functions and operators that the ledger's functions would use in place of PostgreSQL's: these look names up in pg_catalog first, but a
 * closer match in a later schema wins. And types of the ledger that no migration made.
 */
const SHADOWS = `
  SELECT n.nspname AS schema, 'function ' || p.oid::pg_catalog.regprocedure::pg_catalog.text || ' shadows one of PostgreSQL' AS name
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
   CROSS JOIN LATERAL (SELECT FROM pg_catalog.pg_proc q WHERE q.proname = p.proname AND q.pronamespace = 11 LIMIT 1) s
   WHERE n.nspname IN ('public', 'oc_guard', 'oc_work', 'oc_bi')
   UNION ALL
  SELECT n.nspname, 'operator ' || o.oid::pg_catalog.regoperator::pg_catalog.text || ' shadows one of PostgreSQL'
    FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
   CROSS JOIN LATERAL (SELECT FROM pg_catalog.pg_operator q WHERE q.oprname = o.oprname AND q.oprnamespace = 11 LIMIT 1) s
   WHERE n.nspname IN ('public', 'oc_guard', 'oc_work', 'oc_bi')
   UNION ALL
  SELECT n.nspname, 'type ' || t.typname
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
   WHERE t.typtype <> 'c' AND t.typelem = 0
     AND (n.nspname IN ('oc_guard', 'oc_work', 'oc_bi') OR (n.nspname = 'public' AND t.typname LIKE 'oc\\_%'))`;

const OBJECTS: Readonly<Record<string, string>> = {
  r: "tables",
  S: "sequences",
  f: "functions",
  T: "types",
  n: "schemas",
  L: "large objects",
};

/** Facts about the database, the schemas of the ledger, what new objects in them are granted, and extensions. */
export async function readDatabase(read: ReadRows): Promise<readonly GuardFact[]> {
  const schema = (name: string) => `schema ${identifier(name)}`;
  const [owners, grants, database, databaseGrants, defaults, extensions, shadows] = await read<
    [Owned, Grant & Named, Owned, Grant, DefaultGrantRow, Owned & Placed, Named & Placed]
  >(SCHEMA_OWNERS, SCHEMA_GRANTS, DATABASE_OWNER, DATABASE_GRANTS, DEFAULT_GRANTS, EXTENSIONS, SHADOWS);
  return [
    ...owners.map(({ name, owner }) => closed(schema(name), `schema owner ${owner}`)),
    ...grants.map((grant) => closed(schema(grant.name), grantFact(grant))),
    ...database.map(({ owner }) => closed("database", `database owner ${owner}`)),
    ...databaseGrants.map((grant) => closed("database", grantFact(grant))),
    ...defaults.map((grant) =>
      closed(
        "default privileges",
        words(
          `of ${OBJECTS[grant.kind] ?? grant.kind} that ${identifier(grant.role)} makes`,
          grant.schema !== null && `in ${identifier(grant.schema)}`,
          grantFact(grant),
        ),
      ),
    ),
    ...shadows.map((shadow) => closed(schema(shadow.schema), shadow.name)),
    ...extensions.map((extension) =>
      closed(
        `extension ${identifier(extension.name)}`,
        `extension in ${identifier(extension.schema)} owner ${extension.owner}`,
      ),
    ),
  ];
}
