import {
  firing,
  GRANT,
  type Grant,
  type GuardFact,
  grantFact,
  grantsIn,
  identifier,
  oneOf,
  type ReadRows,
  sha256,
  words,
} from "./fact.ts";
import { INDEXES, type IndexRow, indexFacts } from "./indexes.ts";
import { type Relation, readRelations, relationFact } from "./relations.ts";

/** A row of a statement below, about the relation with this OID. */
interface Of {
  readonly relation: number;
}

interface ColumnRow extends Of {
  readonly number: number;
  readonly name: string;
  readonly type: string;
  readonly plain: boolean;
  readonly required: boolean;
  readonly generated: string;
  readonly identity: string;
  readonly collation: string | null;
  readonly missing: boolean;
  readonly misplaced: boolean;
  readonly has_default: boolean;
  readonly value: string | null;
  readonly tree: string | null;
}

const COLUMNS = (oids: readonly number[]) => `
  SELECT a.attrelid AS relation, a.attnum AS number, a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
         a.atttypid < 12000 AND t.typtype = 'b' AS plain, a.attnotnull AS required, a.attgenerated AS generated,
         a.attidentity AS identity, CASE WHEN a.attcollation <> t.typcollation THEN pg_catalog.concat_ws('.', c.nspname, coalesce(l.collname, 'none')) END AS collation,
         a.atthasmissing AS missing, (a.attlen, a.attbyval, a.attalign) IS DISTINCT FROM (t.typlen, t.typbyval, t.typalign) AS misplaced,
         a.atthasdef AS has_default, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS value, d.adbin::pg_catalog.text AS tree
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
    LEFT JOIN pg_catalog.pg_namespace c ON c.oid = l.collnamespace
   WHERE ${oneOf("a.attrelid", oids)} AND a.attnum > 0 AND NOT a.attisdropped`;

interface ConstraintRow extends Of {
  readonly name: string;
  readonly kind: string;
  readonly definition: string;
  readonly validated: boolean;
  readonly enforced: boolean;
}

const CONSTRAINTS = (oids: readonly number[]) => `
  SELECT k.conrelid AS relation, k.conname AS name, k.contype AS kind, pg_catalog.pg_get_constraintdef(k.oid) AS definition,
         k.convalidated AS validated, k.conenforced AS enforced
    FROM pg_catalog.pg_constraint k WHERE ${oneOf("k.conrelid", oids)} AND (k.contype <> 'n' OR NOT (k.convalidated AND k.conenforced))`;

interface TriggerRow extends Of {
  readonly state: string;
  readonly internal: boolean;
  readonly definition: string;
}

const TRIGGERS = (oids: readonly number[]) => `
  SELECT t.tgrelid AS relation, t.tgenabled AS state, t.tgisinternal AS internal, pg_catalog.pg_get_triggerdef(t.oid) AS definition
    FROM pg_catalog.pg_trigger t WHERE ${oneOf("t.tgrelid", oids)}`;

const RULES = (oids: readonly number[]) => `
  SELECT r.ev_class AS relation, r.rulename = '_RETURN' AS view, r.ev_enabled AS state, pg_catalog.pg_get_ruledef(r.oid) AS definition
    FROM pg_catalog.pg_rewrite r WHERE ${oneOf("r.ev_class", oids)}`;

interface RuleRow extends Of {
  readonly view: boolean;
  readonly state: string;
  readonly definition: string;
}

interface PolicyRow extends Of {
  readonly name: string;
  readonly permissive: boolean;
  readonly command: string;
  readonly roles: readonly string[];
  readonly using: string | null;
  readonly check: string | null;
}

const POLICIES = (oids: readonly number[]) => `
  SELECT p.polrelid AS relation, p.polname AS name, p.polpermissive AS permissive, p.polcmd AS command,
         ARRAY(SELECT coalesce(r.rolname, 'PUBLIC') FROM pg_catalog.unnest(p.polroles) g LEFT JOIN pg_catalog.pg_roles r ON r.oid = g
                ORDER BY 1)::pg_catalog.text[] AS roles,
         pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS using, pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS check
    FROM pg_catalog.pg_policy p WHERE ${oneOf("p.polrelid", oids)}`;

interface GrantRow extends Of, Grant {
  readonly column: string | null;
}

const GRANTS = (oids: readonly number[]) => `
  SELECT c.oid AS relation, NULL::pg_catalog.name AS column, ${GRANT}
    FROM pg_catalog.pg_class c ${grantsIn("c.relacl", "c.relowner")} AND ${oneOf("c.oid", oids)}
   UNION ALL
  SELECT c.oid, a.attname, ${GRANT}
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid ${grantsIn("a.attacl", "c.relowner")}
     AND ${oneOf("a.attrelid", oids)}`;

/** Facts about all tables, views and types of the ledger's. */
export async function readTables(read: ReadRows): Promise<readonly GuardFact[]> {
  const relations = await readRelations(read);
  const oids = relations.map(({ oid }) => oid);
  const [columnRows, constraintRows, triggerRows, ruleRows, policyRows, grantRows, indexRows] = await read<
    [ColumnRow, ConstraintRow, TriggerRow, RuleRow, PolicyRow, GrantRow, IndexRow]
  >(COLUMNS(oids), CONSTRAINTS(oids), TRIGGERS(oids), RULES(oids), POLICIES(oids), GRANTS(oids), INDEXES(oids));
  const columns = byRelation(columnRows);
  const constraints = byRelation(constraintRows);
  const triggers = byRelation(triggerRows);
  const rules = byRelation(ruleRows);
  const policies = byRelation(policyRows);
  const grants = byRelation(grantRows);
  const indexes = byRelation(
    indexFacts(
      indexRows,
      (relation, number) => columns.get(relation)?.find((column) => column.number === number)?.name,
    ),
  );
  return relations.flatMap((relation) => {
    const of = <Row>(rows: ReadonlyMap<number, readonly Row[]>) => rows.get(relation.oid) ?? [];
    const counted = {
      checks: of(constraints).filter(({ kind }) => kind === "c").length,
      triggers: of(triggers).length,
      rules: of(rules).length,
    };
    const shaped = relation.row.kind !== "v" && relation.row.kind !== "S";
    return [
      { fact: relationFact(relation, counted), open: false },
      ...(shaped ? of(columns).map(columnFact) : []),
      ...[
        ...of(constraints).map(constraintFact),
        ...of(triggers).map(triggerFact),
        ...of(rules).map(ruleFact),
        ...of(policies).map(policyFact),
        ...of(grants).map((grant) => grantFact(grant, grant.column)),
      ].map((fact) => ({ fact, open: false })),
      ...of(indexes),
    ].map(({ fact, open }) => ({
      object: relation.object,
      class: relation.class,
      fact: ofClass(relation, fact),
      open,
    }));
  });
}

const byRelation = <Row extends Of>(rows: readonly Row[]): ReadonlyMap<number, readonly Row[]> =>
  Map.groupBy(rows, ({ relation }) => relation);

/** What a partition of one month has in its name, its class has in that of any month. */
function ofClass({ object, class: its, row }: Relation, fact: string): string {
  return object === its ? fact : fact.replaceAll(row.name, its.slice(its.indexOf(".") + 1));
}

function columnFact(column: ColumnRow) {
  const { name, type, required, generated, identity, collation, missing, misplaced, has_default, value, tree } = column;
  const fact = words(
    "column",
    identifier(name),
    type,
    collation !== null && `collate ${collation.split(".").map(identifier).join(".")}`,
    required && "not null",
    generated !== "" && `generated ${generated}`,
    identity !== "" && `identity ${identity}`,
    value !== null && `default ${value}`,
    has_default !== (value !== null) && "default switched off",
    missing && "with a value for rows that have none",
    misplaced && "stored otherwise than its type",
  );
  const constant = tree === null || tree.startsWith("{CONST ");
  return { fact, open: column.plain && constant && generated === "" && identity === "" && collation === null };
}

const constraintFact = ({ name, definition, validated, enforced }: ConstraintRow): string =>
  words("constraint", identifier(name), definition, !validated && "not validated", !enforced && "not enforced");

/** PostgreSQL names the triggers of a foreign key by their OIDs, which differ from database to database. */
const OID_NAME = /^(CREATE CONSTRAINT TRIGGER "RI_ConstraintTrigger_[ac]_)\d+"/;

const triggerFact = ({ state, internal, definition }: TriggerRow): string =>
  words(
    internal && "internal",
    "trigger",
    firing(state),
    internal ? definition.replace(OID_NAME, '$1<oid>"') : definition,
  );

const ruleFact = ({ view, state, definition }: RuleRow): string =>
  view
    ? words("definition", state !== "O" && firing(state), sha256(definition))
    : words("rule", firing(state), definition);

const policyFact = ({ name, permissive, command, roles, using, check }: PolicyRow): string =>
  words(
    "policy",
    identifier(name),
    !permissive && "restrictive",
    `for ${command} to ${roles.join(", ")}`,
    using !== null && `using ${using}`,
    check !== null && `with check ${check}`,
  );
