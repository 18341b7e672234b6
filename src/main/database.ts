import { Client } from "pg";
import { type Database, type DatabaseOptions, openDatabase } from "../db/database.ts";
import { classify } from "../db/errors.ts";
import { migrate } from "../db/migrate.ts";
import type { Queryable } from "../ledger/read.ts";
import type { Start } from "./start.ts";

/** Milliseconds between two attempts to reach a database that could not be reached. */
export const TRY_AGAIN = 5_000;

/** SQLSTATE. */
const UNDEFINED_TABLE = "42P01";
/** A database URL to which no connection succeeds: a socket below /dev/null, which is no folder. */
const NO_DATABASE = "postgres://oc_app@localhost/none?host=/dev/null/none";

/** A migrated database, closed last. `unreached`: how an unreachable database is handled. */
export async function startDatabase(
  { config, log, closing }: Start,
  unreached: Pick<DatabaseOptions, "mayBeUnreached" | "isUsable"> = {},
): Promise<Database> {
  const database = await openDatabase({
    databaseUrl: config.homeAddress === undefined ? config.databaseUrl : NO_DATABASE,
    migrationDatabaseUrl: config.migrationDatabaseUrl,
    dataDir: config.dataDir,
    connections: config.databasePool,
    limits: config.timeLimits,
    ...unreached,
    log,
  });
  closing.add(() => database.close());
  return database;
}

/**
 * The database of the home region. If it cannot be reached and other regions are served, the server starts without it and migrates it once it
 * is reachable. `check` throws for a database that is not the home region's; the server then stops. If the home region is served elsewhere,
 * every connection to the returned database fails as if it were down.
 */
export async function startHomeDatabase(start: Start, check: (db: Queryable) => Promise<void>): Promise<Database> {
  const { config, log, closing } = start;
  const isElsewhere = config.homeAddress !== undefined;
  const mayBeUnreached = isElsewhere || (config.otherRegions.length > 0 && config.homeCopyMaxAge > 0);
  let isChecked = false;
  const database = await startDatabase(start, { mayBeUnreached, isUsable: () => isChecked });
  if (isElsewhere) return database;
  if (database.isMigrated) {
    await check(database.pool);
    return database;
  }
  log.error(
    { region: config.region },
    "the database of the home region cannot be reached: other regions are served by their copies, and it is tried again",
  );
  let again: NodeJS.Timeout | undefined;
  let trying: Promise<void> = Promise.resolve();
  let isOver = false;

  async function checkAndMigrate(): Promise<void> {
    const connectionString = config.migrationDatabaseUrl ?? database.url;
    const client = new Client({ connectionString, connectionTimeoutMillis: 5_000, query_timeout: 10_000 });
    client.on("error", () => undefined);
    try {
      await client.connect();
      // Before anything is changed in it. One that was never migrated has no ledgers.
      await check(client).catch((error: unknown) => {
        if ((error as { readonly code?: unknown }).code !== UNDEFINED_TABLE) throw error;
      });
      await migrate({ connectionString, log });
      await check(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async function attempt(): Promise<void> {
    try {
      await checkAndMigrate();
      isChecked = true;
      log.info({ region: config.region }, "the home region is served");
    } catch (error) {
      if (classify(error) === "unavailable") {
        log.debug({ err: error, region: config.region }, "the database of the home region cannot be reached yet");
        return tryLater();
      }
      log.fatal({ err: error, region: config.region }, "the home region cannot be served: the server stops");
      process.exitCode = 1;
      process.kill(process.pid, "SIGTERM");
    }
  }

  function tryLater(): void {
    if (isOver) return;
    again = setTimeout(() => {
      trying = attempt();
    }, TRY_AGAIN).unref();
  }

  closing.add(async () => {
    isOver = true;
    clearTimeout(again);
    await trying;
  });
  tryLater();
  return database;
}
