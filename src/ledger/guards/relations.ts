import { LEDGER_TABLES } from "../tables.ts";
import { identifier, ownerIn, type ReadRows, words } from "./fact.ts";

/** A table, view, sequence or composite type of the ledger's, or one that inherits from a ledger table. */
export interface Relation {
  readonly oid: number;
  readonly object: string;
  /** `object` with `<month>` for the month of a partition. */
  readonly class: string;
  readonly row: RelationRow;
  /** Names of what it inherits from. */
  readonly parents: readonly string[];
}

interface RelationRow {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
  readonly owner: string;
  readonly persistence: string;
  readonly secured: boolean;
  readonly forced: boolean;
  readonly has_triggers: boolean;
  readonly has_rules: boolean;
  readonly checks: number;
  readonly method: string | null;
  readonly options: readonly string[] | null;
  readonly bound: string | null;
}

const RELATIONS = `
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, ${ownerIn("o")} AS owner, c.relpersistence AS persistence,
         c.relrowsecurity AS secured, c.relforcerowsecurity AS forced, c.relhastriggers AS has_triggers, c.relhasrules AS has_rules,
         c.relchecks AS checks, a.amname AS method, c.reloptions AS options, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
    LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
     AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`;

interface Inheritance {
  readonly child: number;
  readonly parent: number;
  readonly detaching: boolean;
}

const INHERITANCE = `
  SELECT inhrelid AS child, inhparent AS parent, inhdetachpending AS detaching FROM pg_catalog.pg_inherits ORDER BY inhseqno`;

const MONTH = /^(public\.oc_audit_(?:log|payload))_\d{4}_\d\d$/;
const LEDGER_OBJECTS = new Set(LEDGER_TABLES.map((name) => `public.${name}`));

/** All relations of the ledger's. */
export async function readRelations(read: ReadRows): Promise<readonly Relation[]> {
  const [rows, inheritance] = await read<[RelationRow, Inheritance]>(RELATIONS, INHERITANCE);
  const objects = new Map(rows.map((row) => [row.oid, `${identifier(row.schema)}.${identifier(row.name)}`]));
  const parents = Map.groupBy(inheritance, ({ child }) => child);
  const family = familyOf(
    inheritance,
    new Set(rows.flatMap(({ oid }) => (LEDGER_OBJECTS.has(objects.get(oid)!) ? [oid] : []))),
  );
  return rows
    .filter(({ oid, schema, name }) => family.has(oid) || isOurs(schema, name))
    .map((row) => {
      const object = objects.get(row.oid)!;
      const its = parents.get(row.oid) ?? [];
      return {
        oid: row.oid,
        object,
        class: object.replace(MONTH, "$1_<month>"),
        row,
        parents: its.map(({ parent, detaching }) =>
          words(objects.get(parent) ?? String(parent), detaching && "(detaching)"),
        ),
      };
    });
}

const isOurs = (schema: string, name: string) =>
  ["oc_guard", "oc_work", "oc_bi"].includes(schema) || (schema === "public" && name.startsWith("oc_"));

/** `roots` and everything that inherits from them. */
function familyOf(inheritance: readonly Inheritance[], roots: Set<number>): ReadonlySet<number> {
  const children = Map.groupBy(inheritance, ({ parent }) => parent);
  const family = new Set(roots);
  // A set is iterated over what is added meanwhile, too.
  for (const oid of family) for (const { child } of children.get(oid) ?? []) family.add(child);
  return family;
}

const KINDS: Readonly<Record<string, string>> = {
  r: "table",
  p: "partitioned table",
  v: "view",
  m: "materialized view",
  f: "foreign table",
  S: "sequence",
  c: "composite type",
};

/** What PostgreSQL finds of a relation in the other catalogs. */
export interface Counted {
  readonly checks: number;
  readonly triggers: number;
  readonly rules: number;
}

/** The fact about a relation itself. PostgreSQL looks for triggers, rules and checks only where pg_class has them. */
export function relationFact({ object, row, parents }: Relation, { checks, triggers, rules }: Counted): string {
  return words(
    KINDS[row.kind],
    `owner ${row.owner}`,
    row.persistence !== "p" && "not logged",
    row.method !== null && row.method !== "heap" && `stored by ${row.method}`,
    row.secured && "row-level security",
    row.forced && "forced row-level security",
    row.kind === "v" && row.options !== null && `with ${row.options.join(", ")}`,
    parents.length > 0 && `part of ${parents.join(", ")}`,
    row.bound !== null && `for ${row.bound === boundOf(object) ? "its month" : row.bound}`,
    triggers > 0 && !row.has_triggers && "triggers switched off",
    rules > 0 && !row.has_rules && "rules switched off",
    checks !== row.checks && `${row.checks} of ${checks} checks`,
  );
}

/** What the partition of a month covers, as PostgreSQL writes it. */
function boundOf(object: string): string | undefined {
  const [, year, month] = /_(\d{4})_(\d\d)$/.exec(object) ?? [];
  if (year === undefined || month === undefined) return undefined;
  const day = (months: number) =>
    new Date(Date.UTC(Number(year), Number(month) - 1 + months)).toISOString().slice(0, 10);
  return `FOR VALUES FROM ('${day(0)} 00:00:00+00') TO ('${day(1)} 00:00:00+00')`;
}
