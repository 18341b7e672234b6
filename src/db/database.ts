import type { Pool } from "pg";
import { startEmbeddedPostgres } from "./embedded.ts";
import { classify } from "./errors.ts";
import type { Log } from "./log.ts";
import { migrate } from "./migrate.ts";
import { createPool } from "./pool.ts";
import { TIME_LIMITS, type TimeLimits } from "./time-limits.ts";

export interface DatabaseOptions {
  /** Undefined: a server of our own below `dataDir`. */
  readonly databaseUrl: string | undefined;
  /** The owner's connection, for migrations only; undefined: the same as `databaseUrl`. */
  readonly migrationDatabaseUrl: string | undefined;
  readonly dataDir: string;
  /** Connections for calls: one half for decisions and all the rest, the other for queries, a quarter of it for slow ones. */
  readonly connections: number;
  readonly limits?: TimeLimits;
  /** Whether a database of others that cannot be reached is no error: it is not migrated then. Default: false. */
  readonly mayBeUnreached?: boolean;
  /** Whether one that was not migrated may be used by now. Default: it may. */
  readonly isUsable?: (() => boolean) | undefined;
  readonly log: Log;
}

/** A migrated database and the connections a server works with, all of them confined to `oc_app`. */
export interface Database {
  /** What a dedicated connection, a listener's, connects with. */
  readonly url: string;
  readonly pool: Pool;
  /** For appends alone, so that readers can never keep the ledger waiting for a connection. */
  readonly appendPool: Pool;
  /** For snapshots only: code that holds one may wait for a connection of another pool, but never of this one. */
  readonly snapshotPool: Pool;
  /** For snapshots of queries that search, walk or export: slow, and therefore few at a time. */
  readonly slowPool: Pool;
  /** For subscriptions: what they read does not keep a decision waiting. */
  readonly followPool: Pool;
  /** For jobs. Their statements may take longer. */
  readonly jobPool: Pool;
  /** For readiness checks, which have to be fast when nothing else is. */
  readonly readinessPool: Pool;
  /** Whether the database could be reached, and was migrated. */
  readonly isMigrated: boolean;
  close(): Promise<void>;
}

const APPEND_CONNECTIONS = 8;
const FOLLOW_CONNECTIONS = 2;
const JOB_CONNECTIONS = 2;
const READINESS_CONNECTIONS = 2;

/**
 * Migrates the database, or a PostgreSQL of our own that is started for it, and connects. Throws MigrationError,
 * EmbeddedPostgresError, or the error of the connection; what was started is then stopped.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { log } = options;
  if (options.databaseUrl !== undefined) {
    const url = options.databaseUrl;
    let isMigrated = true;
    try {
      await migrate({ connectionString: options.migrationDatabaseUrl ?? url, log });
    } catch (error) {
      if (options.mayBeUnreached !== true || classify(error) !== "unavailable") throw error;
      isMigrated = false;
    }
    return connect(url, isMigrated, options, async () => {});
  }
  const postgres = await startEmbeddedPostgres({
    dataDir: options.dataDir,
    log,
    onRestart: () => log.warn({}, "the built-in PostgreSQL died and was started again"),
  });
  try {
    await migrate({ connectionString: postgres.url, log });
    return connect(await postgres.letIn("oc_app"), true, options, () => postgres.stop());
  } catch (error) {
    await postgres.stop();
    throw error;
  }
}

function connect(url: string, isMigrated: boolean, options: DatabaseOptions, stop: () => Promise<void>): Database {
  const { log, limits = TIME_LIMITS } = options;
  const all = { connectionString: url, log, isUsable: isMigrated ? undefined : options.isUsable };
  const pool = createPool({
    ...all,
    max: Math.ceil(options.connections / 2),
    applicationName: "countersign",
    statementTimeoutMs: limits.readMs,
  });
  const queries = Math.max(2, Math.floor(options.connections / 2));
  const slow = Math.max(1, Math.floor(queries / 4));
  const snapshotPool = createPool({
    ...all,
    max: queries - slow,
    applicationName: "countersign-read",
    statementTimeoutMs: limits.readMs,
  });
  const slowPool = createPool({
    ...all,
    max: slow,
    applicationName: "countersign-search",
    statementTimeoutMs: limits.searchMs,
  });
  const followPool = createPool({
    ...all,
    max: FOLLOW_CONNECTIONS,
    applicationName: "countersign-follow",
    statementTimeoutMs: limits.readMs,
  });
  const appendPool = createPool({
    ...all,
    max: APPEND_CONNECTIONS,
    applicationName: "countersign-append",
    statementTimeoutMs: limits.appendMs,
    lockTimeoutMs: limits.headLockMs,
    connectionTimeoutMs: Math.min(limits.appendMs, 5_000),
  });
  const jobPool = createPool({
    ...all,
    max: JOB_CONNECTIONS,
    applicationName: "countersign-job",
    statementTimeoutMs: limits.jobMs,
  });
  const readinessPool = createPool({
    ...all,
    max: READINESS_CONNECTIONS,
    applicationName: "countersign-readiness",
    statementTimeoutMs: limits.readinessMs,
    connectionTimeoutMs: limits.readinessMs,
  });
  const pools = [pool, appendPool, snapshotPool, slowPool, followPool, jobPool, readinessPool];
  return {
    url,
    pool,
    appendPool,
    snapshotPool,
    slowPool,
    followPool,
    jobPool,
    readinessPool,
    isMigrated,
    async close() {
      await Promise.all(pools.map((each) => each.end()));
      await stop();
    },
  };
}
