import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type MigrationBuilder, type RunnerOption, runner } from "node-pg-migrate";
import { Client, type ClientBase } from "pg";
import type { Log } from "./log.ts";
import { outliveLoss } from "./session.ts";

const table = "oc_migrations";
const migrationFile = /^\d{6}_.*\.sql$/;
const checkoutDirectory = fileURLToPath(new URL("../../sql", import.meta.url));
/** Any number, but the same in every release: "oc_migrations" has to exclude old and new code alike. */
const lockKey = "7311423501932204";
const lockPoll = 250;
const CONNECT_TIMEOUT = 10_000;

export type MigrationErrorCode = "DATABASE_NEWER" | "MIGRATION_MISSING" | "MIGRATION_FAILED";

/** The database was not migrated and must not be served by this code. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
  readonly code: MigrationErrorCode;

  constructor(code: MigrationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface MigrationProgress {
  /** The migration about to run, without `.sql`. */
  readonly name: string;
  /** Counts from 1. */
  readonly index: number;
  readonly total: number;
}

export interface MigrateOptions {
  /** A role that may create roles, schemas and, for the event triggers, a superuser. */
  readonly connectionString: string;
  /** Where the numbered files are; files of any other name are ignored. */
  readonly directory?: string;
  /** The last migration to apply, without `.sql`; all of them unless given. */
  readonly through?: string;
  readonly log: Log;
  readonly onProgress?: (progress: MigrationProgress) => void;
}

export interface Migrated {
  /** Names this call applied, in order; empty when there was nothing to do. */
  readonly applied: readonly string[];
  /** Name of the newest migration in the database. */
  readonly current: string;
}

async function namesInCode(directory: string): Promise<readonly string[]> {
  const files = (await readdir(directory)).filter((file) => migrationFile.test(file)).sort();
  return files.map((file) => file.replace(/\.sql$/, ""));
}

async function namesInDatabase(client: Pick<ClientBase, "query">): Promise<readonly string[]> {
  const exists = await client.query("SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'public' AND tablename = $1", [
    table,
  ]);
  if (exists.rowCount === 0) return [];
  const { rows } = await client.query<{ name: string }>(`SELECT name FROM public.${table} ORDER BY id`);
  return rows.map(({ name }) => name);
}

/** Checks that the recorded migrations are the first of ours, in our order. Returns the missing ones. */
function compare(recorded: readonly string[], known: readonly string[]): readonly string[] {
  const newest = recorded.toSorted().at(-1);
  const unknown = recorded.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new MigrationError(
      "DATABASE_NEWER",
      `The database was migrated by newer code: it is at ${newest}, this code knows up to ${known.at(-1) ?? "nothing"} ` +
        `and does not know ${unknown}. Upgrade the code.`,
    );
  }
  const skipped = recorded.findIndex((name, index) => name !== known[index]);
  if (skipped !== -1) {
    throw new MigrationError(
      "MIGRATION_MISSING",
      `Migration ${known[skipped]} comes before ${recorded[skipped]}, which the database already has, but was not applied ` +
        "in that order. A released migration is never renumbered: give the new one the next number.",
    );
  }
  return known.slice(recorded.length);
}

async function lock(client: Client, log: Log): Promise<void> {
  // Polling, not pg_advisory_lock: waiting inside a statement would hold a snapshot that CREATE INDEX CONCURRENTLY awaits.
  for (let waits = 0; ; waits += 1) {
    const { rows } = await client.query<{ locked: boolean }>(`SELECT pg_try_advisory_lock(${lockKey}) AS locked`);
    if (rows[0]?.locked === true) return;
    if (waits === 0) log.info({}, "another process migrates this database, waiting for it");
    await new Promise((resolve) => setTimeout(resolve, lockPoll));
  }
}

/** Migrations take as long as they take; only the connection has to be there in time. */
async function connect(connectionString: string): Promise<Client> {
  const client = new Client({
    connectionString,
    application_name: "countersign-migrate",
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    keepAlive: true,
  });
  outliveLoss(client);
  await client.connect();
  return client;
}

type Loader = Exclude<NonNullable<RunnerOption["migrationLoaderStrategies"]>[number]["loader"], string>;

/**
 * A file is one step up, there is no way down. The guards of the ledger let it work, and it may change its role: the
 * library then records it as the role that began.
 */
const loadFiles: Loader = (paths) =>
  Promise.all(
    paths.map(async (path) => {
      const sql = await readFile(path, "utf8");
      const up = (builder: MigrationBuilder) => {
        for (const step of ["SET LOCAL countersign.migration = 'on'", sql, "RESET ROLE"]) builder.sql(step);
      };
      return { id: path, filePaths: [path], actions: { up, down: false } };
    }),
  );

async function apply(client: Client, directory: string, name: string, log: Log): Promise<void> {
  // The library narrates each step and prints a failing file in full: details.
  const narrate = (message: string) => log.debug({ migration: name }, message);
  try {
    await runner({
      dbClient: client,
      dir: directory,
      ignorePattern: `(?!${migrationFile.source.slice(1)}).*`,
      file: name,
      direction: "up",
      migrationsTable: table,
      migrationsSchema: "public",
      migrationLoaderStrategies: [{ extensions: [".sql"], loader: loadFiles }],
      singleTransaction: false,
      // We hold the lock and have checked the order, by id rather than by a clock that may have been set back.
      noLock: true,
      checkOrder: false,
      logger: { debug: narrate, info: narrate, warn: narrate, error: narrate },
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MigrationError("MIGRATION_FAILED", `Migration ${name} failed and was rolled back: ${reason}`, { cause });
  }
}

/**
 * Applies missing migrations, each file in its own transaction, one process at a time. Within them
 * `countersign.migration` is `on`, which is what the guards of the ledger let through.
 *
 * @throws MigrationError when the database is newer than the code, the order is broken, or a file fails.
 */
export async function migrate(options: MigrateOptions): Promise<Migrated> {
  const { directory = checkoutDirectory, through, log, onProgress } = options;
  const all = await namesInCode(directory);
  if (through !== undefined && !all.includes(through)) {
    throw new MigrationError("DATABASE_NEWER", `This code does not know migration ${through}. Upgrade the code.`);
  }
  const known = through === undefined ? all : all.slice(0, all.indexOf(through) + 1);
  if (known.length === 0) throw new MigrationError("MIGRATION_MISSING", `No migrations in ${directory}.`);
  const client = await connect(options.connectionString);
  try {
    await lock(client, log);
    const pending = compare(await namesInDatabase(client), known);
    await client.query("SET statement_timeout = 0");
    for (const [at, name] of pending.entries()) {
      onProgress?.({ name, index: at + 1, total: pending.length });
      await apply(client, directory, name, log);
      log.info({ migration: name }, "migration applied");
    }
    return { applied: pending, current: known.at(-1)! };
  } finally {
    // Ends the session, and with it the lock.
    await client.end();
  }
}

/**
 * Names of the migrations the database still lacks; empty when it is up to date. The role needs SELECT on
 * `oc_migrations`.
 *
 * @throws MigrationError as `migrate` does.
 */
export async function pendingMigrations(
  db: Pick<ClientBase, "query">,
  directory = checkoutDirectory,
): Promise<readonly string[]> {
  return compare(await namesInDatabase(db), await namesInCode(directory));
}
