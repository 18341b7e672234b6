import { createHash } from "node:crypto";
import type { ClientBase } from "pg";
import { copyOut } from "../../db/copy-out.ts";

/** OIDs below this are in PostgreSQL's source; initdb and everybody after it give the others. */
const FIRST_GIVEN = 12_000;
export const inSource = (oid: number): boolean => oid < FIRST_GIVEN;

/** A row of COPY in binary: its number of fields in two bytes, then each with its length in four, which is -1 for null. */
export interface Fields {
  /** The next one as an OID, or as what else is a number of four bytes. */
  oid(): number;
  text(): string | null;
  bool(): boolean;
  /** OIDs of an `oidvector`. */
  oids(): readonly number[];
  /** Everything that was not read yet. */
  rest(): Buffer;
}

/** Columns of a catalog, the OID first, and which of its rows are put into the digest of what PostgreSQL came with. */
export interface Catalog {
  readonly table: string;
  readonly columns: string;
  /** Called for each row, in the order of OIDs. Returns whether the row is one that every PostgreSQL of this version has. */
  readonly onRow: (oid: number, fields: Fields) => boolean;
}

/**
 * Reads a whole catalog. The statement is without functions, operators and conditions: PostgreSQL replaces a call in a statement by
 * the body of its function when somebody made that a function in SQL, while functions for input, output and order that it came with
 * are called by their number, without being looked up.
 *
 * @returns a SHA-256 over the rows for which `onRow` returned true.
 */
export async function readShipped(client: ClientBase, { table, columns, onRow }: Catalog): Promise<string> {
  const hash = createHash("sha256");
  await copyOut(client, `SELECT ${columns} FROM pg_catalog.${table} ORDER BY 1`, (row) => {
    const fields = fieldsOf(row);
    if (onRow(fields.oid(), fields)) hash.update(row);
  });
  return `sha256 ${hash.digest("hex")}`;
}

function fieldsOf(row: Buffer): Fields {
  let end = 2;
  const next = (): Buffer | null => {
    const length = row.readInt32BE(end);
    const begin = end + 4;
    end = length < 0 ? begin : begin + length;
    return length < 0 ? null : row.subarray(begin, end);
  };
  return {
    oid() {
      end += 8;
      return row.readUInt32BE(end - 4);
    },
    text: () => next()?.toString("utf8") ?? null,
    bool: () => next()?.[0] === 1,
    oids() {
      // An array of one dimension: 20 bytes of header, then each element with its length.
      const bytes = next();
      const oids: number[] = [];
      for (let at = 24; bytes !== null && at < bytes.length; at += 8) oids.push(bytes.readUInt32BE(at));
      return oids;
    },
    rest: () => row.subarray(end),
  };
}

/** What facts are read from, by name and OID, which is the same in every database of a major version. */
const PLACES = {
  pg_aggregate: 2600,
  pg_am: 2601,
  pg_amop: 2602,
  pg_amproc: 2603,
  pg_attrdef: 2604,
  pg_attribute: 1249,
  pg_auth_members: 1261,
  pg_cast: 2605,
  pg_class: 1259,
  pg_collation: 3456,
  pg_constraint: 2606,
  pg_database: 1262,
  pg_db_role_setting: 2964,
  pg_default_acl: 826,
  pg_event_trigger: 3466,
  pg_extension: 3079,
  pg_index: 2610,
  pg_inherits: 2611,
  pg_language: 2612,
  pg_namespace: 2615,
  pg_opclass: 2616,
  pg_operator: 2617,
  pg_policy: 3256,
  pg_proc: 1255,
  pg_rewrite: 2618,
  pg_trigger: 2620,
  pg_type: 1247,
} as const;

/** Names of catalogs that lead to another relation: somebody renamed the catalog and made a view in its place. */
export async function readDisplaced(client: Pick<ClientBase, "query">): Promise<readonly string[]> {
  const places = Object.keys(PLACES).map(
    (name) => `'pg_catalog.${name}'::pg_catalog.regclass::pg_catalog.oid AS ${name}`,
  );
  const { rows } = await client.query<Readonly<Record<string, number>>>(`SELECT ${places}`);
  return Object.entries(PLACES).flatMap(([name, oid]) => (rows[0]?.[name] === oid ? [] : [name]));
}
