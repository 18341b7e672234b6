import { randomUUID } from "node:crypto";
import type { Pool } from "pg";
import { afterAll, beforeAll } from "vitest";
import { createDirectory, type Directory, type DirectoryOptions } from "../../../src/domain/directory/directory.ts";
import { DirectoryRefusal } from "../../../src/domain/directory/errors.ts";
import type { Authentication } from "../../../src/domain/identity/authentication.ts";
import { AuthenticationError } from "../../../src/domain/identity/errors.ts";
import type { Principal } from "../../../src/domain/identity/principal.ts";
import { callerFacts } from "../../../src/domain/identity/recorded.ts";
import { seal } from "../../../src/facts/commitment.ts";
import { bodyOf } from "../../../src/facts/encode.ts";
import { instant, type LedgerEntry, type LedgerId } from "../../../src/facts/entry.ts";
import { newId } from "../../../src/facts/random.ts";
import type { Ledgers } from "../../../src/ledger/ledger.ts";
import { later } from "../../support/later.ts";
import { isSigned } from "../../support/ledgers.ts";
import { silent } from "../../support/log.ts";
import { calling, createWorld, human } from "../support.ts";

/** One process of the product, as far as the directory goes. */
export interface Server {
  readonly directory: Directory;
  readonly ledgers: Ledgers;
  readonly pool: Pool;
}

export interface DirectoryWorld {
  server(options?: Partial<DirectoryOptions>): Promise<Server>;
  /** Connects as the superuser. */
  readonly superuserUrl: string;
  /** Connects as a server does. */
  readonly appUrl: string;
  close(): Promise<void>;
}

export async function createDirectoryWorld(): Promise<DirectoryWorld> {
  const world = await createWorld();
  const servers: Server[] = [];
  return {
    superuserUrl: world.database.superuserUrl,
    appUrl: world.database.appUrl,
    async server(options = {}) {
      const { ledgers, pool } = await world.process();
      const directory = createDirectory({
        ledgers,
        isSigned,
        db: pool,
        region: "eu",
        platforms: ["crm", "mail"],
        log: silent,
        attribute: "none",
        pollSeconds: 600,
        staleSeconds: 600,
        ...options,
      });
      const server = { directory, ledgers, pool };
      servers.push(server);
      return server;
    },
    async close() {
      await Promise.all(servers.map(({ directory }) => directory.stop()));
      await world.close();
    },
  };
}

/** A world with one server, from before the first test of a file until after its last. Call it once, at the top. */
export function openDirectory(): { readonly world: DirectoryWorld; readonly one: Server } {
  let world: DirectoryWorld | undefined;
  let one: Server | undefined;
  beforeAll(async () => {
    world = await createDirectoryWorld();
    one = await world.server();
  });
  afterAll(() => world?.close());
  return { world: later(() => world), one: later(() => one) };
}

/** An organization nobody else of a file has, with people of it. */
export function createOrganization() {
  const name = `org-${randomUUID().slice(0, 8)}`;
  const ledger: LedgerId = `${name}/eu`;
  const person = (id: string, more: Partial<Principal> = {}) => human(id, { organization: name, ...more });
  const agentOf = (id: string, onBehalfOf?: Principal): Principal => ({
    id,
    kind: "AGENT",
    organization: name,
    displayName: `Agent ${id}`,
    roles: [],
    groups: [],
    ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
  });
  return { name, ledger, person, agentOf, root: calling(person("root", { roles: ["admin"] })) };
}

export const ISSUER = "https://issuer.example";

/** A believed token. */
export function signedIn(principal: Principal, more: Partial<Authentication> = {}): Authentication {
  const expiresAt = Math.floor(Date.now() / 1000) + 3600;
  return { principal, issuer: ISSUER, expiresAt, tokenId: randomUUID(), method: "bearer-token", ...more };
}

/** Something `principal` did that was recorded. */
export function seeing({ ledgers }: Server, principal: Principal): Promise<LedgerEntry> {
  const read = { from: instant(new Date()), reads: { auditEntries: 1 }, entries: 1 };
  const fact = bodyOf<"AUDIT_READ">(callerFacts(calling(principal)), { type: "AUDIT_READ", read });
  return ledgers.append(`${principal.organization}/eu`, fact);
}

/** `principal` signs in, which is recorded: signed by the server, or by whoever else can append. */
export function signingIn(
  { ledgers, pool }: Server,
  principal: Principal,
  { unsigned = false }: { readonly unsigned?: boolean } = {},
): Promise<unknown> {
  const session = newId();
  const fact = bodyOf<"SESSION_STARTED">(callerFacts(calling(principal), session), {
    type: "SESSION_STARTED",
    session,
    method: "password",
    states: [{ kind: "SESSION", id: session, version: 1, state: { status: "OPEN" } }],
  });
  const ledger = `${principal.organization}/eu` as const;
  if (!unsigned) return ledgers.append(ledger, fact);
  const { body, payload } = seal({ ...fact, id: newId(), signature: `e30..${"A".repeat(86)}` });
  return pool.query("SELECT * FROM oc_ledger_append($1, $2, $3)", [ledger, body, payload]);
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    (value) => new Error(`expected a refusal, got ${String(value)}`),
    (error: unknown) => error,
  );
}

/** Code and path of a refusal, such as `NOT_FOUND ownerId`. */
export async function refusalOf(work: Promise<unknown>): Promise<string> {
  const error = await failureOf(work);
  if (error instanceof DirectoryRefusal) return [error.code, ...error.path].join(" ");
  throw error;
}

/** Why a token was not let in. */
export async function reasonOf(work: Promise<unknown>): Promise<string> {
  const error = await failureOf(work);
  if (error instanceof AuthenticationError) return error.reason;
  throw error;
}

/** The types of the entries of a ledger, oldest first. */
export async function typesOf({ pool }: Server, ledger: LedgerId): Promise<readonly string[]> {
  const { rows } = await pool.query<{ type: string }>("SELECT type FROM oc_audit_log WHERE ledger = $1 ORDER BY seq", [
    ledger,
  ]);
  return rows.map(({ type }) => type);
}
