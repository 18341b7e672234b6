import { type Database, openDatabase } from "../db/database.ts";
import { classify } from "../db/errors.ts";
import { migrate } from "../db/migrate.ts";
import type { Start } from "./start.ts";

/** Milliseconds between two attempts to reach a database that could not be reached. */
export const TRY_AGAIN = 5_000;

/** The address of no database: a socket below something that is no folder. */
const NO_DATABASE = "postgres://oc_app@localhost/none?host=/dev/null/none";

/** A migrated database, closed last. `mayBeUnreached`: one that cannot be reached now is no error. */
export async function startDatabase(
  { config, log, closing }: Start,
  { mayBeUnreached = false }: { readonly mayBeUnreached?: boolean } = {},
): Promise<Database> {
  const database = await openDatabase({
    databaseUrl: config.homeAddress === undefined ? config.databaseUrl : NO_DATABASE,
    migrationDatabaseUrl: config.migrationDatabaseUrl,
    dataDir: config.dataDir,
    connections: config.databasePool,
    limits: config.timeLimits,
    mayBeUnreached,
    log,
  });
  closing.add(() => database.close());
  return database;
}

/**
 * The database of the home region. Where other regions are served too, which have copies of what it has, one that cannot be reached keeps
 * the server from nothing else: it is migrated once it can be. `check` throws for a database that is not the home region's; the server then
 * stops. Where the home region is served elsewhere, there is no database, and whatever needs it fails as if it were down.
 */
export async function startHomeDatabase(start: Start, check: (database: Database) => Promise<void>): Promise<Database> {
  const { config, log, closing } = start;
  const isElsewhere = config.homeAddress !== undefined;
  const mayBeUnreached = isElsewhere || (config.otherRegions.length > 0 && config.homeCopyMaxAge > 0);
  const database = await startDatabase(start, { mayBeUnreached });
  if (isElsewhere) return database;
  if (database.isMigrated) {
    await check(database);
    return database;
  }
  log.error(
    { region: config.region },
    "the database of the home region cannot be reached: other regions are served by their copies, and it is tried again",
  );
  let again: NodeJS.Timeout | undefined;
  let trying: Promise<void> = Promise.resolve();
  let isOver = false;

  async function attempt(): Promise<void> {
    try {
      await migrate({ connectionString: config.migrationDatabaseUrl ?? database.url, log });
      await check(database);
      log.info({ region: config.region }, "the home region is served");
    } catch (error) {
      if (classify(error) === "unavailable") return tryLater();
      log.fatal({ err: error, region: config.region }, "the home region cannot be served: the server stops");
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
