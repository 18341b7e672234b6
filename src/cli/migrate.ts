import type { Command } from "commander";
import type { Config } from "../config.ts";
import { startEmbeddedPostgres } from "../db/embedded.ts";
import { MigrationError, migrate } from "../db/migrate.ts";
import { createLogger } from "../log.ts";
import { CommandError, exitCodesHelp } from "./exit.ts";
import { settings } from "./options.ts";
import { type Progress, startProgress } from "./progress.ts";
import { makeFolders } from "./start-checks.ts";

interface MigrateCommandOptions {
  readonly databaseUrl?: string;
  readonly dataDir?: string;
}

async function migrateDatabase(connectionString: string): Promise<void> {
  const log = createLogger("warn", process.stderr);
  let progress: Progress | undefined;
  try {
    const { applied, current } = await migrate({
      connectionString,
      log,
      onProgress({ name, index, total }) {
        progress ??= startProgress("migrate", total);
        if (index > 1) progress.advance(1, name);
      },
    });
    progress?.advance();
    progress?.finish();
    process.stdout.write(
      applied.length === 0
        ? `Nothing to do, the database is at ${current}.\n`
        : `${applied.map((name) => `applied ${name}\n`).join("")}The database is at ${current}.\n`,
    );
  } catch (error) {
    progress?.finish();
    if (error instanceof MigrationError) throw new CommandError("FAILED", error.message, { cause: error });
    throw error;
  }
}

async function run(options: MigrateCommandOptions): Promise<void> {
  const config = settings(options);
  const given = options.databaseUrl ?? config.migrationDatabaseUrl ?? config.databaseUrl;
  if (given !== undefined) await migrateDatabase(given);
  else if (config.homeAddress === undefined) await migrateBuiltin(config);
  if (options.databaseUrl !== undefined) return;
  for (const { name, databaseUrl, migrationDatabaseUrl } of config.otherRegions) {
    process.stdout.write(`Region ${name}:\n`);
    await migrateDatabase(migrationDatabaseUrl ?? databaseUrl);
  }
}

async function migrateBuiltin(config: Config): Promise<void> {
  await makeFolders(config);
  const postgres = await startEmbeddedPostgres({ dataDir: config.dataDir, log: createLogger("warn", process.stderr) });
  try {
    await migrateDatabase(postgres.url);
  } finally {
    await postgres.stop();
  }
}

export function defineMigrate(program: Command): void {
  program
    .command("migrate")
    .summary("bring the database up to date")
    .description(
      "Applies missing migrations, each in its own transaction, one process at a time. Refuses a database that newer code " +
        "has migrated. With REGIONS, the database of each region. Without a database address: the built-in database in the data directory, which no server may be " +
        "using.",
    )
    .option(
      "--database-url <url>",
      "the owner's connection (default: MIGRATION_DATABASE_URL, then DATABASE_URL; and those of all regions)",
    )
    .option("--data-dir <directory>", "folder of the built-in database (default: DATA_DIR)")
    .addHelpText(
      "after",
      "\nExamples:\n  countersign migrate\n  MIGRATION_DATABASE_URL=postgres://oc_owner@db/countersign countersign migrate",
    )
    .addHelpText(
      "after",
      exitCodesHelp({
        OK: "the database is up to date",
        FAILED: "failure, or a server uses the built-in database",
        USAGE: "wrong arguments or settings",
        UNREACHABLE: "database not reachable",
      }),
    )
    .action(run);
}
