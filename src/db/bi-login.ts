import { type ClientBase, escapeIdentifier, escapeLiteral } from "pg";
import { scramVerifier } from "./scram.ts";

/** A login of a BI tool, which reads `oc_bi` for one organization. */
export interface BiLogin {
  /** Lower-case letters, digits and underscores. */
  readonly name: string;
  readonly organization: string;
  /** Printable ASCII. */
  readonly password: string;
  /** At the same time, at most. */
  readonly connections: number;
}

/** What the statements of a login may put on the disk at a time, where the ledger is too. Only a superuser sets it, and lifts it. */
const TEMPORARY_FILES = "1GB";

export interface BiLoginMade {
  /** Whether there was no such role. */
  readonly isNew: boolean;
  /** Whether its statements can put no more than so much on the disk. */
  readonly isLimited: boolean;
}

/** The role of this name is something else than a login of a BI tool for this organization, and stays as it is. */
export class BiLoginError extends Error {
  override readonly name = "BiLoginError";
}

/** A role is in all databases of its server; which organization it reads is in each of them. */
const EXISTING = `
  SELECT r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls AS powers,
         ARRAY(SELECT m.roleid::regrole::text FROM pg_auth_members m WHERE m.member = r.oid ORDER BY 1) AS memberships
    FROM pg_roles r WHERE r.rolname = $1`;

interface Existing {
  readonly powers: boolean;
  readonly memberships: readonly string[];
}

// By name alone: a row stays when its role was dropped otherwise than by dropBiLogin, and is of whoever gets the name next.
const OTHERS = "SELECT a.organization FROM oc_bi_access a WHERE a.role_name = $1 AND a.organization <> $2 ORDER BY 1";
// Otherwise two organizations that are given a login of one name at the same time would not know of each other.
const LOCK = "LOCK TABLE oc_bi_access IN SHARE ROW EXCLUSIVE MODE";

async function existing(client: ClientBase, name: string): Promise<Existing | undefined> {
  const { rows } = await client.query<Existing>(EXISTING, [name]);
  const [found] = rows;
  if (found !== undefined && (found.powers || found.memberships.join() !== "oc_bi")) {
    throw new BiLoginError(`role ${name} is there already, and is no login of a BI tool`);
  }
  return found;
}

async function assertNoOther(client: ClientBase, { name, organization }: BiLogin, isThere: boolean): Promise<void> {
  await client.query(LOCK);
  const { rows } = await client.query<{ organization: string }>(OTHERS, [name, organization]);
  if (rows.length === 0) return;
  const others = rows.map(({ organization: other }) => other).join(", ");
  if (isThere) throw new BiLoginError(`role ${name} reads for ${others}: use another name`);
  const message =
    `role ${name} is not there any more, and whoever gets its name would read for ${others}: use another name, or run ` +
    `countersign bi-role drop --login ${name} first, which takes that away`;
  throw new BiLoginError(message);
}

/**
 * Creates the login, or gives it another password and number of connections. It inherits what oc_bi may read, cannot become oc_bi, and is
 * in no other role.
 *
 * @throws BiLoginError for a role that is something else, and for a name that reads for another organization.
 */
export async function createBiLogin(client: ClientBase, login: BiLogin): Promise<BiLoginMade> {
  const role = escapeIdentifier(login.name);
  const options =
    "LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS " +
    `CONNECTION LIMIT ${Math.trunc(login.connections)} PASSWORD ${escapeLiteral(await scramVerifier(login.password))}`;
  await client.query("BEGIN");
  try {
    const found = await existing(client, login.name);
    await assertNoOther(client, login, found !== undefined);
    await client.query(`${found === undefined ? "CREATE" : "ALTER"} ROLE ${role} ${options}`);
    const { rows } = await client.query<{ super: boolean }>(
      "SELECT rolsuper AS super FROM pg_roles WHERE rolname = current_user",
    );
    const isLimited = rows[0]?.super === true;
    if (isLimited) await client.query(`ALTER ROLE ${role} SET temp_file_limit = '${TEMPORARY_FILES}'`);
    await client.query(`GRANT oc_bi TO ${role} WITH INHERIT TRUE, SET FALSE, ADMIN FALSE`);
    await client.query("INSERT INTO oc_bi_access (role_name, organization) VALUES ($1, $2) ON CONFLICT DO NOTHING", [
      login.name,
      login.organization,
    ]);
    await client.query("COMMIT");
    return { isNew: found === undefined, isLimited };
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/**
 * Takes away what the login reads here, ends its sessions, and drops the role. Returns whether there was one.
 *
 * @throws BiLoginError for a role that is something else.
 */
export async function dropBiLogin(client: ClientBase, name: string): Promise<boolean> {
  const found = await existing(client, name);
  await client.query("DELETE FROM oc_bi_access WHERE role_name = $1", [name]);
  if (found === undefined) return false;
  await client.query(`ALTER ROLE ${escapeIdentifier(name)} NOLOGIN`);
  await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [name]);
  await client.query(`DROP ROLE ${escapeIdentifier(name)}`);
  return true;
}
