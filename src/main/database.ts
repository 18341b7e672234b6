import { type Database, openDatabase } from "../db/database.ts";
import type { Start } from "./start.ts";

/** A migrated database, closed last. */
export async function startDatabase({ config, log, closing }: Start): Promise<Database> {
  const database = await openDatabase({
    databaseUrl: config.databaseUrl,
    migrationDatabaseUrl: config.migrationDatabaseUrl,
    dataDir: config.dataDir,
    connections: config.databasePool,
    limits: config.timeLimits,
    log,
  });
  closing.add(() => database.close());
  return database;
}
