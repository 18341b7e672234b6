import { Client, Pool, type PoolClient, types } from "pg";
import { parseJson } from "../facts/parse-json.ts";
import type { Log } from "./log.ts";
import { answerLimit, outliveLoss, prepareSession, serverRole } from "./session.ts";
import { assertMilliseconds } from "./time-limits.ts";

export { UnsafeRoleError } from "./session.ts";

export interface PoolOptions {
  readonly connectionString: string;
  /** Connections at most. */
  readonly max: number;
  readonly applicationName: string;
  readonly log: Log;
  /** The role every connection works as. */
  readonly role?: string;
  /**
   * Milliseconds after which the database cancels a statement; 0 for no limit. A second later the connection is given up: an
   * answer that does not come then, of a paused database or over a dead connection, never comes.
   */
  readonly statementTimeoutMs?: number;
  /** Milliseconds a statement waits for a lock before it fails; 0 for no limit but that of the statement. */
  readonly lockTimeoutMs?: number;
  /** Milliseconds; 0 for no limit. */
  readonly idleInTransactionTimeoutMs?: number;
  /** Whether the database may be used; where it may not, connections fail as if it could not be reached. Default: it may. */
  readonly isUsable?: (() => boolean) | undefined;
  /** Milliseconds to wait for a new or released connection before the call rejects, and for a new one to be confined. */
  readonly connectionTimeoutMs?: number;
}

/**
 * A pool whose connections are all confined to one role before anybody gets to use them. The first use connects, and
 * rejects with `UnsafeRoleError` when the login cannot be confined. Throws RangeError for a time that is no number of milliseconds.
 */
export function createPool(options: PoolOptions): Pool {
  const {
    role = serverRole,
    statementTimeoutMs = 30_000,
    lockTimeoutMs = 0,
    idleInTransactionTimeoutMs = 30_000,
    connectionTimeoutMs = 5_000,
    isUsable = () => true,
    log,
  } = options;
  assertMilliseconds({ statementTimeoutMs, lockTimeoutMs, idleInTransactionTimeoutMs, connectionTimeoutMs });
  const pool = new Pool({
    connectionString: options.connectionString,
    max: options.max,
    application_name: options.applicationName,
    connectionTimeoutMillis: connectionTimeoutMs,
    ...answerLimit(statementTimeoutMs),
    types: { getTypeParser },
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // Awaited by the pool: a connection on which this fails is closed and never used.
    onConnect: (client) => {
      // The pool listens to its idle connections only, not to those that are held.
      outliveLoss(client);
      if (!isUsable()) throw new UnusableDatabaseError();
      return prepareSession(client, {
        role,
        statementTimeoutMs,
        lockTimeoutMs,
        idleInTransactionTimeoutMs,
        setupTimeoutMs: connectionTimeoutMs,
      });
    },
  });
  // An idle connection that breaks is removed by the pool; without a listener it would take the process with it.
  pool.on("error", (error) => {
    // A pool that is ending closes its connections politely; a server that goes first is no news.
    if (pool.ending) return;
    log.warn({ err: error }, "an idle database connection was lost");
  });
  endWithin(pool, ENDING_LIMIT);
  return pool;
}

/** It was not found out yet whether the database is the one that is meant. */
class UnusableDatabaseError extends Error {
  /** SQLSTATE: the connection cannot be made. */
  readonly code = "08001";

  constructor() {
    super("the database was not checked yet");
  }
}

/** Milliseconds that the database has to close connections that are ended politely. */
const ENDING_LIMIT = 2_000;

/** Has `end` close what is still open after `limit` milliseconds: the other side of a dead connection never does. */
function endWithin(pool: Pool, limit: number): void {
  const open = new Set<PoolClient>();
  pool.on("connect", (client) => void open.add(client));
  pool.on("remove", (client) => void open.delete(client));
  const end = pool.end.bind(pool);
  pool.end = () => {
    // Also those that the pool has let go already: as long as they are open, the process does not end.
    setTimeout(() => {
      for (const client of open) if (client instanceof Client) client.connection.stream.destroy();
    }, limit).unref();
    return end();
  };
}

/** As pg reads values, but for JSON, whose names have to come back as they were written. */
const getTypeParser: typeof types.getTypeParser = (type: number, format?: "text" | "binary") => {
  if (format !== "binary" && (type === types.builtins.JSON || type === types.builtins.JSONB)) return parseJson;
  return types.getTypeParser(type, format);
};
