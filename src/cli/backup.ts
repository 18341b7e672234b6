import { access, realpath } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import type { Pool } from "pg";
import packageFile from "../../package.json" with { type: "json" };
import type { Config } from "../config.ts";
import { EmbeddedPostgresError, startEmbeddedPostgres } from "../db/embedded.ts";
import { createPool } from "../db/pool.ts";
import { factJwks } from "../domain/identity/fact-keys.ts";
import { loadKeys } from "../domain/identity/keys.ts";
import { writeBackup } from "../ledger/backup/write.ts";
import { createLogger } from "../log.ts";
import { type DatabaseOption, withServerPool } from "./database.ts";
import { CommandError, exitCodesHelp } from "./exit.ts";
import { keyFile } from "./keys.ts";
import { settings } from "./options.ts";
import { startProgress } from "./progress.ts";
import { exitOnSignal } from "./signals.ts";

interface BackupCommandOptions {
  readonly withKeys?: true;
  readonly databaseUrl?: string;
  readonly region?: string;
  readonly dataDir?: string;
}

/** The address of the database of a region beside the home region. Throws CommandError USAGE. */
function databaseOf({ otherRegions }: Config, region: string): string {
  const found = otherRegions.find(({ name }) => name === region);
  if (found !== undefined) return found.databaseUrl;
  throw new CommandError("USAGE", `REGIONS names no region ${region} beside the home region, which needs no --region`);
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** Runs `work` on the database: the one that is named, or the built-in one, which is started for it when no server runs. */
async function withDatabase<Result>(
  { databaseUrl, region, dataDir }: BackupCommandOptions,
  work: (pool: Pool) => Promise<Result>,
): Promise<Result> {
  const config = settings(dataDir === undefined ? {} : { dataDir });
  const running = (source: DatabaseOption) => withServerPool({ source, dataDir, max: 1 }, work);
  if (region !== undefined) {
    if (databaseUrl === undefined) return running(databaseOf(config, region));
    throw new CommandError("USAGE", "pass --region or --database-url, not both");
  }
  if (databaseUrl !== undefined || config.databaseUrl !== undefined) return running(databaseUrl ?? true);
  if (!(await exists(path.join(config.dataDir, "postgres", "PG_VERSION")))) return running(true);
  const log = createLogger("warn", process.stderr);
  const postgres = await startEmbeddedPostgres({ dataDir: config.dataDir, log }).catch((error: unknown) => {
    if (error instanceof EmbeddedPostgresError && error.code === "DATA_DIR_IN_USE") return undefined;
    throw error;
  });
  if (postgres === undefined) return running(true);
  try {
    const url = await postgres.letIn("oc_app");
    const pool = createPool({
      connectionString: url,
      max: 1,
      applicationName: "countersign-cli",
      statementTimeoutMs: 0,
      log,
    });
    try {
      return await work(pool);
    } finally {
      await pool.end();
    }
  } finally {
    await postgres.stop();
  }
}

/** The target, in a folder that is there. Throws CommandError USAGE. */
async function targetOf(directory: string): Promise<string> {
  const target = path.resolve(directory);
  if (await exists(target)) {
    throw new CommandError("USAGE", `${target} exists: name a directory that does not, which will be the backup`);
  }
  try {
    return path.join(await realpath(path.dirname(target)), path.basename(target));
  } catch (cause) {
    throw new CommandError(
      "USAGE",
      `${path.dirname(target)} does not exist: make the folder that backups are to be in`,
      {
        cause,
      },
    );
  }
}

async function backup(directory: string, options: BackupCommandOptions): Promise<void> {
  exitOnSignal();
  const target = await targetOf(directory);
  const keys = await keyFile(options);
  const publicKeys = factJwks((await loadKeys(keys)).facts.published);
  const { manifest, sha256 } = await withDatabase(options, async (pool) => {
    const progress = startProgress("backup", 1);
    try {
      return await writeBackup({
        pool,
        directory: target,
        countersign: packageFile.version,
        publicKeys: { keys: publicKeys.keys.map((key) => ({ ...key, kid: String(key.kid) })) },
        keyFile: options.withKeys ? keys : undefined,
        onProgress: (done, total) => progress.to(done, total),
      });
    } finally {
      progress.finish();
    }
  });
  const heads = manifest.ledgers.map(({ ledger, seq, hash }) => `  ${ledger}  head ${seq} sha256:${hash}\n`);
  process.stdout.write(
    `${target}\n${heads.join("")}  manifest sha256:${sha256}\nKeep these heads and the hash of the manifest elsewhere: they prove what this backup was.\n`,
  );
  const about = options.withKeys
    ? `This backup contains the private keys of the installation: whoever has it can sign in its place.\n`
    : `The private keys are not in this backup. Keep a copy of ${keys} elsewhere: nothing is restored without it.\n`;
  process.stderr.write(about);
}

export function defineBackup(program: Command): void {
  program
    .command("backup")
    .summary("write a backup of the ledgers")
    .description(
      "Writes all ledgers as they are at one moment, while servers go on, into a new directory, which is there once it is " +
        "complete. It does not depend on the version of PostgreSQL: restoring it is the way to a newer one. Contains personal " +
        "values; not the private keys, logins, or the search index, which is built again. The built-in database is started for " +
        "it when no server runs.",
    )
    .argument("<directory>", "where the backup will be; nothing may be there")
    .option("--with-keys", "include the private keys, so that the backup is all that a restore needs")
    .option("--database-url <url>", "the server's connection (default: DATABASE_URL, then the built-in database)")
    .option("--region <name>", "the database that REGIONS has of this region (default: that of the home region)")
    .option("--data-dir <directory>", "folder of the keys and the built-in database (default: DATA_DIR, then .data)")
    .addHelpText(
      "after",
      "\nExamples:\n  countersign backup /backup/2026-11-26\n  countersign backup --with-keys /media/safe/countersign",
    )
    .addHelpText("after", exitCodesHelp({ OK: "the backup is complete", FAILED: true, USAGE: true, UNREACHABLE: true }))
    .action(backup);
}
