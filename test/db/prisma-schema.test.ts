import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";

/** The type of a column as `format_type` spells it, for each type and native attribute that the read model may use. */
const columnTypes: Readonly<Record<string, string>> = {
  String: "text",
  "String @db.Uuid": "uuid",
  BigInt: "bigint",
  Int: "integer",
  "Int @db.SmallInt": "smallint",
  Boolean: "boolean",
  Float: "double precision",
  Bytes: "bytea",
  Json: "jsonb",
  "Json @db.Json": "json",
  "DateTime @db.Timestamptz(6)": "timestamp with time zone",
  "DateTime @db.Date": "date",
};

interface Model {
  readonly name: string;
  readonly table: string;
  readonly key: readonly string[];
  /** Column to its type and whether it may be null, as in `text` or `uuid?`. */
  readonly columns: Readonly<Record<string, string>>;
}

/** The models of prisma/schema.prisma; fields whose type is a model are relations and no columns. */
function readModels(schema: string): readonly Model[] {
  const blocks = [...schema.matchAll(/^(?:model|view) (\w+) \{\n(.*?)^\}/gms)];
  const names = new Set(blocks.map(([, name = ""]) => name));
  return blocks.map(([, name = "", body = ""]) => {
    const columns: Record<string, string> = {};
    const columnOf: Record<string, string> = {};
    let key: readonly string[] = [];
    for (const [, field = "", type = "", mark = "", attributes = ""] of body.matchAll(
      /^ {2}(\w+)\s+(\w+)(\[\]|\?)?(.*)$/gm,
    )) {
      if (names.has(type)) continue;
      const column = /@map\("(\w+)"\)/.exec(attributes)?.[1] ?? field;
      const native = /@db\.\w+(?:\(\d+\))?/.exec(attributes)?.[0];
      const wanted = native === undefined ? type : `${type} ${native}`;
      const known = columnTypes[wanted];
      if (known === undefined) throw new Error(`${name}.${field}: this test does not know the type ${wanted}.`);
      columnOf[field] = column;
      columns[column] = `${known}${mark}`;
      if (/@id\b/.test(attributes)) key = [column];
    }
    const compound = /^ {2}@@id\(\[(.*?)\]/m.exec(body)?.[1];
    if (compound !== undefined) key = compound.split(", ").map((field) => columnOf[field] ?? field);
    return { name, table: /^ {2}@@map\("(\w+)"\)/m.exec(body)?.[1] ?? name, key, columns };
  });
}

const models = readModels(await readFile(new URL("../../prisma/schema.prisma", import.meta.url), "utf8"));
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

const query = <Row extends object>(sql: string, values: readonly string[]) =>
  withClient(database.superuserUrl, async (client) => (await client.query<Row>(sql, [...values])).rows);

describe("prisma/schema.prisma", () => {
  it("has a model for every table and view that the server reads", async () => {
    const tables = await query<{ name: string }>(
      `SELECT relname::text AS name FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND NOT relispartition
          -- oc_bi_access is read by the report of guards alone, not through Prisma.
          AND relname NOT IN ('oc_migrations', 'oc_bi_access') AND has_table_privilege('oc_app', oid, 'SELECT')`,
      [],
    );
    expect(models.map(({ table }) => table).sort()).toEqual(tables.map(({ name }) => name).sort());
  });

  it.each(models.map((model) => [model.name, model] as const))(
    "%s agrees with its table, column by column",
    async (_, model) => {
      const columns = await query<{ name: string; type: string; required: boolean }>(
        `SELECT attname::text AS name, format_type(atttypid, NULL) AS type, attnotnull AS required
         FROM pg_attribute WHERE attrelid = to_regclass('public.' || $1) AND attnum > 0 AND NOT attisdropped`,
        [model.table],
      );
      // What a column of a view may be is not in the catalog: its model says it.
      const nullable = (name: string, required: boolean) =>
        columns.some((column) => column.required) ? !required : model.columns[name]?.endsWith("?") === true;
      const described = columns.map(({ name, type, required }) => [
        name,
        `${type}${!nullable(name, required) || type.endsWith("[]") ? "" : "?"}`,
      ]);
      expect(model.columns).toEqual(Object.fromEntries(described));
    },
  );

  it.each(models.map((model) => [model.name, model] as const))("%s is identified by a unique key", async (_, model) => {
    // The partitions of a table each have the index that the table itself cannot have; a view has that of oc_state, whose
    // rows of one kind it shows.
    const table = model.table === "oc_action" ? "oc_state" : model.table;
    const keys = await query<{ relation: string; keys: readonly string[] }>(
      `SELECT c.relname::text AS relation, coalesce(array_agg(k.columns) FILTER (WHERE k.columns IS NOT NULL), '{}') AS keys
         FROM pg_class c LEFT JOIN LATERAL (
           SELECT (SELECT string_agg(a.attname, ',' ORDER BY n) FROM unnest(x.indkey::int2[]) WITH ORDINALITY u(attnum, n)
                     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum) AS columns
             FROM pg_index x WHERE x.indrelid = c.oid AND x.indisunique AND x.indisvalid AND x.indpred IS NULL) k ON true
        WHERE c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass('public.' || $1)) WHERE isleaf
                        UNION ALL SELECT to_regclass('public.' || $1) WHERE NOT EXISTS (SELECT FROM pg_partition_tree(to_regclass('public.' || $1))))
        GROUP BY c.relname`,
      [table],
    );
    expect(keys.length).toBeGreaterThan(0);
    for (const { relation, keys: unique } of keys)
      expect(unique, relation).toContain(table === model.table ? model.key.join(",") : "ledger,kind,id");
  });
});
