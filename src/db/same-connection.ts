import { Client, type ClientBase, type Pool } from "pg";
import { answerLimit, outliveLoss, prepareSession } from "./session.ts";

/** The connection settings of a pool, in a form that can be passed to another thread. */
export interface ConnectionSettings {
  readonly connectionString: string;
  readonly applicationName: string;
  /** The role that connections of the pool work as. */
  readonly role: string;
  /** Milliseconds a statement may take; 0 for no limit. */
  readonly statementTimeoutMs: number;
}

const CONNECT_TIMEOUT = 5_000;
const IDLE_IN_TRANSACTION = 30_000;
/** Milliseconds of silence after which it is asked whether the other side is there: nothing else ends a wait without a limit. */
const KEEP_ALIVE_MS = 10_000;

/** How `pool` connects; `client` is a connection of it. Throws when it was not made of a connection string. */
export async function settingsOf(pool: Pool, client: ClientBase): Promise<ConnectionSettings> {
  const { connectionString, application_name: applicationName = "countersign" } = pool.options;
  if (connectionString === undefined) throw new TypeError("the pool has to be made of a connection string");
  const { rows } = await client.query<{ role: string; limit: string }>(
    "SELECT current_user::text AS role, (SELECT setting FROM pg_settings WHERE name = 'statement_timeout') AS limit",
  );
  return { connectionString, applicationName, role: rows[0]?.role ?? "", statementTimeoutMs: Number(rows[0]?.limit) };
}

/** A connection that works as those of the pool do. The caller ends it. */
export async function connectAs(settings: ConnectionSettings): Promise<Client> {
  const { connectionString, applicationName, role, statementTimeoutMs } = settings;
  const client = new Client({
    connectionString,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    ...answerLimit(statementTimeoutMs),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  });
  outliveLoss(client);
  await client.connect();
  try {
    await prepareSession(client, { role, statementTimeoutMs, idleInTransactionTimeoutMs: IDLE_IN_TRANSACTION });
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  return client;
}
