import type { ClientBase } from "pg";
import { readContents } from "./contents.ts";
import { readDatabase } from "./database.ts";
import { createReader, type GuardFact } from "./fact.ts";
import { readPostgres } from "./postgres.ts";
import { readRoles } from "./roles.ts";
import { readEventTriggers, readRoutines } from "./routines.ts";
import { readSettings } from "./settings.ts";
import { readTables } from "./tables.ts";

/** How facts are written, whatever the database's defaults: names outside of pg_catalog with their schema. */
export const SETTINGS = `
  SET LOCAL search_path = pg_catalog;
  SET LOCAL timezone = 'UTC';
  SET LOCAL datestyle = 'ISO, YMD';
  SET LOCAL quote_all_identifiers = off;
  SET LOCAL jit = off`;

/** All facts about the guards of a database. Within a transaction that sees one moment, and with SETTINGS. */
export async function readGuards(client: ClientBase): Promise<readonly GuardFact[]> {
  const read = createReader(client);
  const postgres = await readPostgres(client);
  const { facts: roles, concerned } = await readRoles(read);
  return [
    ...postgres,
    ...roles,
    ...(await readTables(read)),
    ...(await readRoutines(read)),
    ...(await readEventTriggers(read)),
    ...(await readDatabase(read)),
    ...(await readSettings(read, concerned)),
    ...(await readContents(client)),
  ];
}
