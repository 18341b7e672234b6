import { createHash } from "node:crypto";
import type { ClientBase, QueryResult } from "pg";

/** One fact about what guards the ledger. */
export interface GuardFact {
  /** What it is about: `public.oc_audit_log`, `role oc_app`, `settings`. */
  readonly object: string;
  /** The object whose facts are expected; the partitions of all months share one. */
  readonly class: string;
  readonly fact: string;
  /** Whether an object may have it although its class has not: a column or an index that runs no code. */
  readonly open: boolean;
}

/** Of an object that is its own class and has no facts but those that are expected. */
export const closed = (object: string, fact: string): GuardFact => ({ object, class: object, fact, open: false });

/** Statements that return rows of these types. */
type Statements<Rows extends readonly object[]> = { readonly [At in keyof Rows]: string };

/** Runs statements in one round trip and returns the rows of each. */
export type ReadRows = <const Rows extends readonly object[]>(
  ...statements: Statements<Rows>
) => Promise<{ readonly [At in keyof Rows]: readonly Rows[At][] }>;

export function createReader(client: Pick<ClientBase, "query">): ReadRows {
  return async <const Rows extends readonly object[]>(...statements: Statements<Rows>) => {
    const results: unknown = await client.query(statements.join(";\n"));
    const rows = (Array.isArray(results) ? results : [results]).map((result: QueryResult) => result.rows);
    return rows as unknown as { readonly [At in keyof Rows]: readonly Rows[At][] };
  };
}

/** A condition that `column` is one of `oids`. */
export const oneOf = (column: string, oids: readonly number[]): string =>
  `${column} = ANY ('{${oids.join(",")}}'::pg_catalog.oid[])`;

/** The words of a fact; undefined, null, false and empty ones are left out. */
export const words = (...parts: readonly (string | null | undefined | false)[]): string =>
  parts.filter(Boolean).join(" ");

/** A name as PostgreSQL writes it in a statement. */
export const identifier = (name: string): string =>
  /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;

export const sha256 = (...texts: readonly (string | Buffer)[]): string => {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(text);
  return `sha256 ${hash.digest("hex")}`;
};

/** When a trigger, rule or event trigger fires, from the column of its state. */
export const firing = (state: string): string =>
  ({ A: "always", O: "not for replicas", R: "for replicas only" })[state] ?? "disabled";

/** An item of an access control list. */
export interface Grant {
  /** null: PUBLIC. */
  readonly grantee: string | null;
  readonly privilege: string;
  readonly grantable: boolean;
}

/** The fact of one right, on a column when it is named. */
export const grantFact = ({ grantee, privilege, grantable }: Grant, column?: string | null): string =>
  words(
    "grant",
    privilege,
    column && identifier(column),
    "to",
    grantee === null ? "PUBLIC" : identifier(grantee),
    grantable && "with grant option",
  );

/** Columns of Grant, and the FROM item they come from, for the list `acl` of an object of `owner`, whose own rights are left out. */
export const GRANT = "g_role.rolname AS grantee, g_item.privilege_type AS privilege, g_item.is_grantable AS grantable";
export const grantsIn = (acl: string, owner: string): string => `
  CROSS JOIN LATERAL pg_catalog.aclexplode(${acl}) AS g_item
  LEFT JOIN pg_catalog.pg_roles g_role ON g_role.oid = g_item.grantee WHERE g_item.grantee <> ${owner}`;

/** The owner in a fact; which superuser migrated a database makes no difference. */
export const ownerIn = (roles: string): string =>
  `CASE WHEN ${roles}.rolsuper THEN 'superuser' ELSE ${roles}.rolname::pg_catalog.text END`;
