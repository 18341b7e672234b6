import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Pool } from "pg";
import { createPool } from "../../src/db/pool.ts";
import {
  type Actions,
  type ActionsConfig,
  createActions,
  type ProposeInput,
} from "../../src/domain/actions/actions.ts";
import { ActionRefusal } from "../../src/domain/actions/errors.ts";
import { type Keys, loadKeys } from "../../src/domain/identity/keys.ts";
import type { Caller, Principal } from "../../src/domain/identity/principal.ts";
import { loadCatalog } from "../../src/domain/policy/catalog.ts";
import { compilePolicy } from "../../src/domain/policy/compile.ts";
import { readPolicy } from "../../src/domain/policy/document/read.ts";
import { starterDocument } from "../../src/domain/policy/document/starter.ts";
import { policyOf as asVersion, createPolicy, type Policy } from "../../src/domain/policy/evaluate.ts";
import type { LedgerEntry, LedgerId } from "../../src/facts/entry.ts";
import type { Ledgers } from "../../src/ledger/ledger.ts";
import { ENTRY_COLUMNS, ENTRY_TABLES, type EntryRow, toEntry } from "../../src/ledger/read.ts";
import { createLedgers, isSigned } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";

export const LEDGER: LedgerId = "acme/eu";

export function human(id: string, more: Partial<Principal> = {}): Principal {
  return {
    id,
    kind: "HUMAN",
    organization: "acme",
    email: `${id}@acme.example`,
    emailVerified: true,
    roles: [],
    groups: [],
    ...more,
  };
}

export const member = human("member", { roles: ["member"] });
export const approver = human("approver", { roles: ["approver"], groups: ["approvers"] });
export const approver2 = human("approver2", { roles: ["approver"], groups: ["approvers"] });
export const admin = human("admin", { roles: ["admin"], groups: ["approvers"] });
export const auditor = human("auditor", { roles: ["auditor"] });
export const outsider = human("outsider", { organization: "globex", groups: ["approvers"] });
export const agent: Principal = {
  id: "agent",
  kind: "AGENT",
  organization: "acme",
  displayName: "Demo agent",
  roles: ["agent"],
  groups: [],
  onBehalfOf: member,
};

export function calling(principal: Principal): Caller {
  const client = { name: "test", confidence: "HEADER", modelConfidence: "UNKNOWN", evidence: {} } as const;
  return { principal, client };
}

export const read = (more: Partial<ProposeInput> = {}): ProposeInput => ({
  idempotencyKey: randomUUID(),
  platform: "crm",
  tool: "get_user_details",
  arguments: { user_id: "mia_li_3668" },
  ...more,
});
export const write = (more: Partial<ProposeInput> = {}): ProposeInput =>
  read({
    platform: "reservations",
    tool: "cancel_reservation",
    arguments: { reservation_id: "NO6JO3" },
    // Tests propose the same again and again.
    repeat: true,
    ...more,
  });

/** One process of the product over a database, as far as actions go. */
export interface Process {
  readonly actions: Actions;
  readonly ledgers: Ledgers;
  readonly pool: Pool;
  close(): Promise<void>;
}

export interface World {
  readonly database: TestDatabase;
  readonly keys: Keys;
  /** Starts a further process on the same database and keys. `policy`: in place of the first policy of an installation. */
  process(config?: Partial<ActionsConfig>, policy?: Policy): Promise<Process>;
  close(): Promise<void>;
}

const CONFIG: ActionsConfig = { region: "eu", approvalTtl: 600, grantTtl: 600, executionTtl: 600, chainIdle: 1800 };

export async function createWorld(): Promise<World> {
  const database = await createTestDatabase();
  const directory = await mkdtemp(path.join(tmpdir(), "countersign-keys-"));
  const keys = await loadKeys(path.join(directory, "keys.json"));
  const first = createPolicy(await loadCatalog());
  const processes: Process[] = [];
  return {
    database,
    keys,
    async process(config = {}, policy = first) {
      const pool = createPool({ connectionString: database.appUrl, max: 8, applicationName: "test", log: silent });
      const ledgers = createLedgers({ pool, capacity: 10_000 });
      const actions = createActions({ ledgers, isSigned, pool, policy, keys, config: { ...CONFIG, ...config } });
      const close = async () => {
        await ledgers.close();
        await pool.end();
      };
      const process: Process = { actions, ledgers, pool, close };
      processes.push(process);
      return process;
    },
    async close() {
      await Promise.all(processes.map((process) => process.close()));
      await database.drop();
      await rm(directory, { recursive: true });
    },
  };
}

/** The policy of a document around the sample catalog; `text` are its members beside the catalog. */
export async function policyOf(text: string): Promise<Policy> {
  const { catalog } = starterDocument(await loadCatalog());
  return asVersion(compilePolicy(readPolicy(`policy: 1\ncatalog: ${JSON.stringify(catalog)}\n${text}`)), 1);
}

/** Every entry that names the action, oldest first. */
export async function entriesOf(pool: Pool, actionId: string, ledger: LedgerId = LEDGER): Promise<LedgerEntry[]> {
  const { rows } = await pool.query<EntryRow>(
    `SELECT ${ENTRY_COLUMNS} FROM ${ENTRY_TABLES} WHERE e.ledger = $1 AND e.action_id = $2::uuid ORDER BY e.seq`,
    [ledger, actionId],
  );
  return rows.map((row) => toEntry(ledger, row));
}

/** The refusal that `work` ends in. */
export async function refusalOf(work: Promise<unknown>): Promise<ActionRefusal> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof ActionRefusal) return outcome;
  throw new Error(`expected a refusal, got ${String(outcome ?? "success")}`, { cause: outcome });
}
