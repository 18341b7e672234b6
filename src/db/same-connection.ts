import { Client, type ClientBase, type Pool } from "pg";

/** The connection settings of a pool, in a form that can be passed to another thread. */
export interface ConnectionSettings {
  readonly connectionString: string;
  readonly applicationName: string;
  /** The role that connections of the pool work as. */
  readonly role: string;
}

const CONNECT_TIMEOUT = 10_000;

/** How `pool` connects; `client` is a connection of it. Throws when it was not made of a connection string. */
export async function settingsOf(pool: Pool, client: ClientBase): Promise<ConnectionSettings> {
  const { connectionString, application_name: applicationName = "countersign" } = pool.options;
  if (connectionString === undefined) throw new TypeError("the pool has to be made of a connection string");
  const { rows } = await client.query<{ role: string }>("SELECT current_user::text AS role");
  return { connectionString, applicationName, role: rows[0]?.role ?? "" };
}

/** A connection that works as those of the pool do. The caller ends it. */
export async function connectAs({ connectionString, applicationName, role }: ConnectionSettings): Promise<Client> {
  const client = new Client({
    connectionString,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    keepAlive: true,
  });
  // A lost connection fails the query that is under way, or the next one; without a listener it would end the thread.
  client.on("error", () => undefined);
  await client.connect();
  try {
    await client.query("SELECT set_config('role', $1, false)", [role]);
  } catch (error) {
    await client.end();
    throw error;
  }
  return client;
}
