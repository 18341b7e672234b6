import { randomUUID } from "node:crypto";
import type { Pool } from "pg";
import { createPool } from "../../src/db/pool.ts";
import type { UnsealedObject } from "../../src/facts/commitment.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import type { Ledgers } from "../../src/ledger/ledger.ts";
import { createLedgers } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";

/** A database with ledgers to append to, through the pool a server would use. */
export interface Scene {
  readonly database: TestDatabase;
  readonly pool: Pool;
  readonly ledgers: Ledgers;
  asSuperuser(sql: string, values?: unknown[]): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  close(): Promise<void>;
}

export async function openScene(): Promise<Scene> {
  const database = await createTestDatabase();
  const pool = createPool({ connectionString: database.appUrl, max: 6, applicationName: "ledger-test", log: silent });
  const ledgers = createLedgers({ pool, capacity: 20_000 });
  return {
    database,
    pool,
    ledgers,
    asSuperuser: (sql, values) => withClient(database.superuserUrl, (client) => client.query(sql, values)),
    async close() {
      await ledgers.close();
      await pool.end();
      await database.drop();
    },
  };
}

/** A body that says `text`, erasably. */
export function note(text: string, more: UnsealedObject = {}): UnsealedObject {
  return { actor: { id: "tester", kind: "HUMAN" }, text: new Erasable(text), type: "NOTE", ...more };
}

/** The members of an entry that gives an action its next state. */
export function actionState(id: string, version: number, status: string): UnsealedObject {
  return { action: id, states: [{ kind: "ACTION", id, version, state: { approvals: 0, status } }] };
}

/** Who starts sessions in tests, and makes entries in them. */
export const MEMBER = { id: "member", kind: "HUMAN", roles: [], groups: [] };

/** The members of an entry that starts (version 1) or ends (version 2) a session. */
export function sessionStep(
  session: string,
  version: number,
  { expiresAt, ...more }: UnsealedObject = {},
): UnsealedObject {
  const started = version === 1;
  const state = started ? { status: "OPEN", expiresAt } : { status: "ENDED" };
  return {
    actor: MEMBER,
    session,
    states: [{ kind: "SESSION", id: session, version, state }],
    ...(started ? { type: "SESSION_STARTED", method: "passkey" } : { type: "SESSION_ENDED", reason: "LOGOUT" }),
    ...more,
  };
}

const LISTINGS: Readonly<Record<string, string>> = { TOKEN: "TOKEN_REVOKED", SETUP: "SETUP_CODE_ISSUED" };

function typeOfListing(kind: string, { suspended }: UnsealedObject): string {
  if (kind !== "PRINCIPAL") return LISTINGS[kind] ?? kind;
  return suspended === true ? "PRINCIPAL_SUSPENDED" : "PRINCIPAL_ROLES_CHANGED";
}

/** The members of an entry that gives a thing of the directory its next state. */
export function listing(
  kind: string,
  id: string,
  version: number,
  state: UnsealedObject,
  type = typeOfListing(kind, state),
): UnsealedObject {
  const actor = { id: "admin", kind: "HUMAN", roles: ["admin"], groups: [] };
  const subject = kind === "PRINCIPAL" ? { subject: { id, kind: state.kind } } : {};
  return { actor, states: [{ id, kind, state, version }], type, ...subject };
}

export const newId = (): string => randomUUID();

/** The states that an entry with this body moves. */
export function statesOf({ states }: UnsealedObject): readonly UnsealedObject[] {
  return Array.isArray(states) ? (states as readonly UnsealedObject[]) : [];
}
