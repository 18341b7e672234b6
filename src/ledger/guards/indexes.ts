import { oneOf, words } from "./fact.ts";

export interface IndexRow {
  readonly relation: number;
  readonly index: number;
  readonly name: string;
  /** The index of the partitioned table that it is a part of. */
  readonly parent: number | null;
  /** null for a part that is as the whole, and for an index that a partition has by itself. */
  readonly definition: string | null;
  readonly valid: boolean;
  readonly maintained: boolean;
  readonly immediate: boolean;
  readonly unique: boolean;
  /** Whether it runs no code but operator classes that PostgreSQL came with. */
  readonly plain: boolean;
  readonly method: string;
  readonly keys: string;
  readonly classes: string;
  readonly collations: string;
  readonly options: string;
}

/** Writing a definition is slow, and partitions are many. Trees are compared as they are: functions of PostgreSQL read them alike. */
export const INDEXES = (oids: readonly number[]) => `
  SELECT x.indrelid AS relation, x.indexrelid AS index, n.nspname || '.' || c.relname AS name, i.inhparent AS parent,
         CASE WHEN i.inhparent IS NULL AND (NOT t.relispartition OR x.indexprs IS NOT NULL OR x.indpred IS NOT NULL)
                OR i.inhparent IS NOT NULL
                   AND (x.indkey, x.indclass, x.indcollation, x.indoption, c.relam, x.indexprs::pg_catalog.text, x.indpred::pg_catalog.text)
                       IS DISTINCT FROM
                       (w.indkey, w.indclass, w.indcollation, w.indoption, p.relam, w.indexprs::pg_catalog.text, w.indpred::pg_catalog.text)
              THEN pg_catalog.pg_get_indexdef(x.indexrelid) END AS definition,
         x.indisvalid AS valid, x.indisready AND x.indislive AS maintained, x.indimmediate AS immediate, x.indisunique AS unique,
         x.indexprs IS NULL AND x.indpred IS NULL AND 12000 > ALL (x.indclass::pg_catalog.oid[]) AS plain, a.amname AS method,
         x.indkey::pg_catalog.text AS keys, x.indclass::pg_catalog.text AS classes,
         x.indcollation::pg_catalog.text AS collations, x.indoption::pg_catalog.text AS options
    FROM pg_catalog.pg_index x
    JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
    JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_am a ON a.oid = c.relam
    LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = x.indexrelid
    LEFT JOIN pg_catalog.pg_index w ON w.indexrelid = i.inhparent
    LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
   WHERE ${oneOf("x.indrelid", oids)}`;

/** The name of a column by its number in a relation. */
export type ColumnName = (relation: number, number: number) => string | undefined;

export interface IndexFact {
  readonly relation: number;
  readonly fact: string;
  readonly open: boolean;
}

/** Facts about indexes. */
export function indexFacts(rows: readonly IndexRow[], columnName: ColumnName): readonly IndexFact[] {
  const byOid = new Map(rows.map((row) => [row.index, row]));
  return rows.map((row) => {
    const whole = row.parent === null ? undefined : byOid.get(row.parent);
    const fact = words(
      row.parent === null ? (row.definition ?? ownDefinition(row, columnName)) : partDefinition(row, whole),
      !row.valid && "invalid",
      !row.maintained && "not maintained",
      !row.immediate && "deferred",
    );
    return { relation: row.relation, fact: `index ${fact}`, open: row.plain };
  });
}

/** A part whose columns have other numbers than those of the whole is written like it. */
function partDefinition({ unique, definition }: IndexRow, whole: IndexRow | undefined): string {
  const like = (text: string | null | undefined) => text?.slice(text.indexOf(" USING "));
  const differs = unique !== whole?.unique || (definition !== null && like(definition) !== like(whole.definition));
  return words(`part of ${whole?.name ?? "another relation's"}`, differs && `unlike it: ${definition ?? "unique"}`);
}

/** Of an index on columns alone, with OIDs for operator classes and collations. */
function ownDefinition(
  { name, unique, relation, keys, method, classes, collations, options }: IndexRow,
  columnName: ColumnName,
) {
  const columns = keys.split(" ").map((number) => columnName(relation, Number(number)) ?? number);
  return words(
    unique && "unique",
    `${name} on ${columns.join(", ")} by ${method} classes ${classes} collations ${collations}`,
    /[^0 ]/.test(options) && `options ${options}`,
  );
}
