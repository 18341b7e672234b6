import type { ClientBase } from "pg";

/** The role a server works as: it may call the append functions and read, and cannot write a ledger table itself. */
export const serverRole = "oc_app" as const;

/** Milliseconds that confining a connection may take, if not said otherwise. */
const SETUP_TIMEOUT = 5_000;
/** Milliseconds between the time limit of a statement, which the database keeps, and that of its answer, kept here. */
const GRACE = 1_000;

/** The option of `pg` that gives a connection up when an answer is overdue; none for statements without a time limit. */
export function answerLimit(statementTimeoutMs: number): { readonly query_timeout?: number } {
  return statementTimeoutMs === 0 ? {} : { query_timeout: statementTimeoutMs + GRACE };
}

/**
 * Lets the process outlive the loss of this connection, at any moment: the statement under way fails with the reason, or the next
 * one does. Without a listener the event would end the process when no statement is under way.
 */
export function outliveLoss(client: ClientBase): void {
  client.on("error", () => undefined);
}

/** The connection's login cannot be confined to the server's role, so nothing may be done on it. */
export class UnsafeRoleError extends Error {
  override readonly name = "UnsafeRoleError";
}

export interface SessionOptions {
  readonly role: string;
  /** Milliseconds a statement may take before the database cancels it; 0 for no limit. */
  readonly statementTimeoutMs: number;
  /** Milliseconds a statement may wait for a lock; 0 or left out for no limit. */
  readonly lockTimeoutMs?: number;
  /** Milliseconds a transaction may sit idle before the database ends its connection; 0 for no limit. */
  readonly idleInTransactionTimeoutMs: number;
  /** Milliseconds in which each of the two statements that confine the connection has to be answered. */
  readonly setupTimeoutMs?: number;
}

/** Roles of PostgreSQL itself that reach around table privileges. */
const predefinedPowers = [
  "pg_write_all_data",
  "pg_maintain",
  "pg_execute_server_program",
  "pg_read_server_files",
  "pg_write_server_files",
];

interface CurrentRole {
  readonly role: string;
  readonly powers: readonly string[];
}

async function takeRole(client: ClientBase, options: SessionOptions) {
  const {
    role,
    statementTimeoutMs,
    lockTimeoutMs = 0,
    idleInTransactionTimeoutMs,
    setupTimeoutMs = SETUP_TIMEOUT,
  } = options;
  const settings: Readonly<Record<string, string>> = {
    role,
    search_path: "public",
    statement_timeout: String(statementTimeoutMs),
    lock_timeout: String(lockTimeoutMs),
    idle_in_transaction_session_timeout: String(idleInTransactionTimeoutMs),
    // What a role or a database may have as defaults, and what appends and the values they return rely on.
    default_transaction_isolation: "read committed",
    default_transaction_read_only: "off",
    default_transaction_deferrable: "off",
    transaction_timeout: "0",
    idle_session_timeout: "0",
    datestyle: "ISO, MDY",
    bytea_output: "hex",
    // Compiling plans never pays for statements as short as ours.
    jit: "off",
    timezone: "UTC",
  };
  const calls = Object.keys(settings).map((_, at) => `set_config($${2 * at + 1}, $${2 * at + 2}, false)`);
  // An append returns after COMMIT, which must survive a power failure; stricter settings are kept.
  const durable = `set_config('synchronous_commit', CASE current_setting('synchronous_commit')
    WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)`;
  try {
    const query = {
      text: `SELECT ${[...calls, durable].join(", ")}`,
      values: Object.entries(settings).flat(),
      query_timeout: setupTimeoutMs,
    };
    await client.query(query);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "22023") {
      throw new UnsafeRoleError(`Role ${role} does not exist in this database: run \`countersign migrate\`.`, {
        cause,
      });
    }
    if (code === "42501") {
      throw new UnsafeRoleError(
        `The login of DATABASE_URL may not work as ${role}: log in as ${role}, or GRANT ${role} to this login.`,
        { cause },
      );
    }
    throw cause;
  }
}

async function currentRole(
  client: ClientBase,
  { setupTimeoutMs = SETUP_TIMEOUT }: SessionOptions,
): Promise<CurrentRole> {
  const query = {
    text: `
      SELECT current_user::text AS role, coalesce(array_agg(power ORDER BY power) FILTER (WHERE power IS NOT NULL), '{}') AS powers
        FROM pg_roles r
        CROSS JOIN LATERAL (VALUES
          (CASE WHEN r.rolsuper THEN r.rolname || ' is a superuser' END),
          (CASE WHEN r.rolbypassrls THEN r.rolname || ' bypasses row-level security' END),
          (CASE WHEN r.rolcreaterole THEN r.rolname || ' may create roles' END),
          (CASE WHEN r.rolname = ANY ($1) THEN r.rolname || ' is granted' END),
          (CASE WHEN EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid)
                  OR EXISTS (SELECT FROM pg_proc f WHERE f.proowner = r.oid)
                THEN r.rolname || ' owns tables or functions' END)) AS p(power)
       WHERE pg_has_role(current_user, r.oid, 'MEMBER')`,
    values: [predefinedPowers],
    query_timeout: setupTimeoutMs,
  };
  const { rows } = await client.query<CurrentRole>(query);
  return rows[0] ?? { role: "", powers: [] };
}

/**
 * Confines a fresh connection to the server's role and proves it.
 *
 * A login that may do more can take its rights back with SET ROLE, so this guards against our own mistakes; against an
 * attacker who can send SQL, let the server log in as the role itself.
 *
 * @throws UnsafeRoleError when the role cannot be taken, or has powers of which it must have none.
 */
export async function prepareSession(client: ClientBase, options: SessionOptions): Promise<void> {
  await takeRole(client, options);
  const { role, powers } = await currentRole(client, options);
  if (role !== options.role) {
    throw new UnsafeRoleError(`The connection works as ${role || "nobody"} where it has to work as ${options.role}.`);
  }
  if (powers.length > 0) {
    throw new UnsafeRoleError(`Role ${role} could change the ledger directly: ${powers.join(", ")}. Revoke that.`);
  }
}
