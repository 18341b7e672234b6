import { createReadStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { type ClientBase, escapeIdentifier } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { LEDGER_TABLES } from "../tables.ts";
import { BackupDamagedError } from "./check.ts";
import type { BackupManifest } from "./manifest.ts";
import { COPY_SETTINGS } from "./write.ts";

/**
 * Loads the rows of a backup into a database that has none, and that was migrated as far as the backup's: in one transaction, as
 * the owner of the tables. `client` logged in as a superuser, and has no time limit. Rejects with BackupDamagedError when a file has
 * other rows than the manifest says, or with the database's error.
 */
export async function loadBackup(
  client: ClientBase,
  directory: string,
  { tables, months }: Pick<BackupManifest, "tables" | "months">,
  onTable?: (done: number, total: number, table: string) => void,
): Promise<void> {
  await client.query(`BEGIN; ${COPY_SETTINGS}; SET LOCAL countersign.migration = 'on'; SET LOCAL ROLE oc_owner`);
  // Otherwise all entries would be in the default partition, and copied once more from there.
  for (const day of months) {
    for (const family of ["oc_audit_log", "oc_audit_payload"]) {
      const name = `public.${family}_${day.slice(0, 7).replace("-", "_")}`;
      await client.query("SELECT oc_make_month($1, $2) WHERE to_regclass($3) IS NULL", [family, day, name]);
    }
  }
  // These check appends one at a time, against the head as it then was. What is loaded is verified as a whole.
  for (const table of LEDGER_TABLES) await client.query(`ALTER TABLE ONLY public.${table} DISABLE TRIGGER USER`);
  let done = 0;
  const total = tables.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { name, columns, rows, file, bytes } of tables) {
    onTable?.(done, total, name);
    const path = join(directory, file);
    const list = columns.map(escapeIdentifier).join(", ");
    const target = client.query(copyFrom(`COPY public.${name} (${list}) FROM STDIN`));
    await pipeline(createReadStream(path), createGunzip(), target);
    if (target.rowCount !== rows) throw new BackupDamagedError(path, `has ${target.rowCount} rows in place of ${rows}`);
    done += bytes;
  }
  // With the checks in place again, each for everybody.
  for (const table of LEDGER_TABLES) await client.query("SELECT oc_always($1::regclass)", [`public.${table}`]);
  await client.query("COMMIT");
  onTable?.(total, total, "");
  await client.query("ANALYZE");
}
