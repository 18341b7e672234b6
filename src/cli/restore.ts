import { access, mkdir, readdir, readFile, realpath, rm } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import { Client, type Pool } from "pg";
import type { Config } from "../config.ts";
import { claimDirectory } from "../db/embedded/claim.ts";
import { stopOrphan } from "../db/embedded/orphans.ts";
import { putInPlace, RESTORING } from "../db/embedded/restoring.ts";
import { startEmbeddedPostgres } from "../db/embedded.ts";
import { migrate } from "../db/migrate.ts";
import { createPool } from "../db/pool.ts";
import { type Keys, loadKeys } from "../domain/identity/keys.ts";
import { replaceDurably, syncDirectory } from "../files.ts";
import { BackupDamagedError, checkFiles } from "../ledger/backup/check.ts";
import { loadBackup } from "../ledger/backup/load.ts";
import { type BackupManifest, readManifest } from "../ledger/backup/manifest.ts";
import { keepRestored } from "../ledger/backup/restored.ts";
import { loadGuardExceptions, verifyLedger } from "../ledger/verify.ts";
import { createLogger } from "../log.ts";
import { CommandError, exitCodesHelp } from "./exit.ts";
import { settings } from "./options.ts";
import { type Progress, startProgress } from "./progress.ts";
import { exitOnSignal } from "./signals.ts";
import { makeFolders } from "./start-checks.ts";

interface RestoreOptions {
  readonly dataDir?: string;
  readonly keys?: string;
  readonly heads?: string;
  readonly manifest?: string;
  readonly acceptDamage?: true;
}

const WORKERS = 2;
/** What an interrupted restore may have left in the data directory. */
const LEFT_BEHIND = new Set([RESTORING, "postgres.lock", "postgres.json", "heads", "problems", "keys.json"]);

/** Throws CommandError USAGE unless the data directory is empty, or what is there is of an interrupted restore. */
async function assertEmpty(dataDir: string): Promise<void> {
  const names = await readdir(dataDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const rest = names.filter((name) => name !== "postgres.lock");
  if (rest.length === 0) return;
  if (rest.includes(RESTORING) && rest.every((name) => LEFT_BEHIND.has(name))) return;
  const message = `the data directory ${dataDir} is not empty: name a new one with --data-dir or DATA_DIR`;
  throw new CommandError("USAGE", message);
}

/**
 * The file of the private keys to go on with: the one that is named, that of the backup, or that of the installation. They have to be
 * the keys that signed the backup's entries.
 */
async function keysOf(
  directory: string,
  manifest: BackupManifest,
  named: string | undefined,
  installed: string,
): Promise<{ readonly file: string; readonly keys: Keys }> {
  const inBackup = manifest.keys === null ? undefined : path.join(directory, manifest.keys.file);
  const file = named ?? inBackup ?? installed;
  // Loading would make a key file where there is none.
  const there = await access(file).then(
    () => true,
    () => false,
  );
  if (!there) {
    const message =
      named === undefined
        ? "the private keys are not in this backup: pass --keys with the copy of keys.json that you kept. " +
          "A server with other keys could not prove what these signed"
        : `${named} does not exist: correct --keys`;
    throw new CommandError("USAGE", message);
  }
  const keys = await loadKeys(file);
  const kids = new Set(keys.facts.published.map(({ kid }) => kid));
  const missing = manifest.publicKeys.keys.filter(({ kid }) => !kids.has(kid));
  if (missing.length === 0) return { file, keys };
  const message = `${file} has other keys than the server had when the backup was made: key ${missing[0]?.kid} is missing`;
  throw new CommandError("USAGE", message);
}

async function loadInto(url: string, directory: string, manifest: BackupManifest, progress: Progress): Promise<void> {
  const log = createLogger("warn", process.stderr);
  await migrate({ connectionString: url, through: manifest.migration, log });
  const client = new Client({ connectionString: url, application_name: "countersign-cli" });
  client.on("error", () => undefined);
  await client.connect();
  try {
    await loadBackup(client, directory, manifest, (done, total, table) => {
      progress.to(done, total);
      if (table !== "") progress.say(`loading ${table}`);
    });
  } finally {
    await client.end();
  }
  // What changed since the backup's version changes these rows, too.
  await migrate({ connectionString: url, log });
}

/**
 * Verifies each ledger as a whole: all entries up to the head that the backup's manifest names, and nothing after it. Resolves with
 * what is wrong, a line for each ledger that is not INTACT.
 */
async function verifyAll(
  url: string,
  manifest: BackupManifest,
  keys: Keys,
  config: Config,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const guardExceptions = await loadGuardExceptions(config.guardExceptions);
  const pool = createPool({
    connectionString: url,
    max: WORKERS + 1,
    applicationName: "countersign-cli",
    role: "oc_auditor",
    statementTimeoutMs: 0,
    log: createLogger("warn", process.stderr),
  });
  const progress = startProgress("verify", manifest.ledgers.length);
  try {
    const beside = await ledgersBeside(pool, manifest);
    // Nobody would look at these, and no acknowledgement be asked for.
    if (beside.length > 0) throw new CommandError("FAILED", beside.join("\n"));
    for (const { ledger, seq, hash } of manifest.ledgers) {
      const knownHead = seq === "0" ? undefined : { seq: BigInt(seq), hash };
      const options = { keys: keys.facts.published, knownHead, workers: WORKERS, guardExceptions };
      const found = await verifyLedger(pool, ledger, options);
      const right = found.verdict === "INTACT" || (found.verdict === "EMPTY" && seq === "0");
      if (!right || String(found.head.seq) !== seq) {
        const [problem] = found.problems;
        const what = problem === undefined ? `head ${found.head.seq} in place of ${seq}` : problem.detail;
        const where = problem?.seq === undefined ? "" : ` at ${problem.seq}`;
        wrong.push(`${ledger} is not INTACT after it was restored but ${found.verdict}${where}: ${what}`);
      }
      progress.advance(1, ledger);
    }
    return wrong;
  } finally {
    progress.finish();
    await pool.end();
  }
}

/** Ledgers that were restored although the manifest does not name them. */
async function ledgersBeside(pool: Pool, { ledgers }: BackupManifest): Promise<readonly string[]> {
  const named = new Set<string>(ledgers.map(({ ledger }) => ledger));
  const { rows } = await pool.query<{ ledger: string }>(
    "SELECT ledger FROM oc_ledger_head UNION SELECT DISTINCT ledger FROM oc_audit_log",
  );
  const beside = rows.filter(({ ledger }) => !named.has(ledger));
  return beside.map(({ ledger }) => `${ledger} is in the backup, and its manifest does not name it`);
}

/** Loads and verifies in the folder of the data directory that a server does not start on. After a failure the folder stays, empty. */
async function restoreInto(
  dataDir: string,
  directory: string,
  manifest: BackupManifest,
  keys: Keys,
  config: Config,
  acceptDamage: boolean,
): Promise<readonly string[]> {
  const log = createLogger("warn", process.stderr);
  const folder = path.join(await realpath(dataDir), RESTORING);
  // Of a restore that was killed.
  await stopOrphan(path.join(folder, "postgres"), log);
  await empty(folder);
  try {
    const postgres = await startEmbeddedPostgres({ dataDir: folder, log });
    const progress = startProgress("restore", 1);
    try {
      await loadInto(postgres.url, directory, manifest, progress);
      progress.finish();
      const wrong = await verifyAll(postgres.url, manifest, keys, config);
      if (wrong.length > 0 && !acceptDamage) {
        const way = "If that is known and acknowledged damage, restore it with --accept-damage.";
        throw new CommandError("FAILED", `${wrong.join("\n")}\n${way}`);
      }
      return wrong;
    } finally {
      progress.finish();
      await postgres.stop();
    }
  } catch (error) {
    await empty(folder);
    throw error;
  }
}

async function empty(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  // PostgreSQL may run as another user, who has to get through.
  await mkdir(folder, { mode: 0o711 });
  await syncDirectory(path.dirname(folder));
}

async function restore(given: string, options: RestoreOptions): Promise<void> {
  exitOnSignal();
  const directory = path.resolve(given);
  const config = settings(options);
  if (config.databaseUrl !== undefined) {
    const message =
      "backups are restored into the built-in database: unset DATABASE_URL, or use the tools of that database";
    throw new CommandError("USAGE", message);
  }
  const { manifest, sha256 } = await readManifest(directory);
  if (options.manifest !== undefined && options.manifest !== sha256) {
    throw new CommandError(
      "FAILED",
      `the manifest of ${directory} has hash ${sha256}: this is another backup, or it was changed`,
    );
  }
  await assertEmpty(config.dataDir);
  await checkBackup(directory, manifest);
  const { file, keys } = await keysOf(directory, manifest, options.keys, config.signingKeyFile);
  await makeFolders(config);
  const claim = await claimDirectory(config.dataDir);
  let wrong: readonly string[];
  try {
    await assertEmpty(config.dataDir);
    wrong = await restoreInto(config.dataDir, directory, manifest, keys, config, options.acceptDamage === true);
    if (path.resolve(file) !== path.resolve(config.signingKeyFile)) {
      await replaceDurably(config.signingKeyFile, await readFile(file, "utf8"));
    }
    await keepRestored({ dataDir: config.dataDir, manifest, earlier: options.heads });
    await putInPlace(config.dataDir);
  } finally {
    claim.release();
  }
  const damaged = (ledger: string) => wrong.some((line) => line.startsWith(`${ledger} `));
  const heads = manifest.ledgers.map(
    ({ ledger, seq, hash }) => `${damaged(ledger) ? "DAMAGED" : "INTACT"}  ${ledger}  head ${seq} sha256:${hash}\n`,
  );
  process.stdout.write(heads.join(""));
  process.stderr.write(
    `Restored into ${config.dataDir} as of ${manifest.madeAt}. Start the server: it records nothing in a ledger until one of its ` +
      "administrators acknowledges the restore with acknowledgeLedger.\n",
  );
  if (wrong.length > 0) throw new CommandError("FAILED", wrong.join("\n"));
}

async function checkBackup(directory: string, manifest: BackupManifest): Promise<void> {
  const progress = startProgress("check", 1);
  try {
    await checkFiles(directory, manifest, (bytes, total) => progress.to(bytes, total));
  } catch (error) {
    if (error instanceof BackupDamagedError) throw new CommandError("FAILED", error.message, { cause: error });
    throw error;
  } finally {
    progress.finish();
  }
}

export function defineRestore(program: Command): void {
  program
    .command("restore")
    .summary("restore a backup into a new data directory")
    .description(
      "Checks the files of a backup, loads them into a new built-in database, and verifies each ledger up to the head in the " +
        "backup. The data directory is complete once all of that has succeeded; until then no server starts on it. The restore is a " +
        "problem of each ledger, and nothing is recorded there until an administrator acknowledges it: so the ledger itself says " +
        "that it was restored, from which position. Logins other than the server's have to be made again.",
    )
    .argument("<directory>", "the backup")
    .option("--data-dir <directory>", "the new data directory: empty, or not there (default: DATA_DIR, then .data)")
    .option("--keys <file>", "the private keys, where the backup does not contain them")
    .option(
      "--heads <directory>",
      "folder `heads` of the data directory that was lost, if it is left: what was recorded after the backup is then named",
    )
    .option(
      "--accept-damage",
      "put ledgers in place that are not INTACT, because they were not when the backup was made; exits with 1 all the same",
    )
    .option("--manifest <sha256>", "the hash that `countersign backup` printed: refuses any other backup")
    .addHelpText(
      "after",
      "\nExamples:\n  countersign restore --data-dir .data-new --keys keys.json /backup/2026-11-26\n" +
        "  countersign restore --data-dir .data-new --heads .data/heads /media/safe/countersign",
    )
    .addHelpText(
      "after",
      exitCodesHelp({
        OK: "every ledger is restored and INTACT",
        FAILED: "failure, a damaged backup, or a ledger that is not INTACT",
        USAGE: "wrong arguments, a directory that is no backup, or a data directory that is not empty",
      }),
    )
    .action(restore);
}
