import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { migrate } from "../../../src/db/migrate.ts";
import { countersign } from "../../cli/run.ts";
import { type App, startApp } from "../../support/app.ts";
import { silent } from "../../support/log.ts";
import { startTestServer, type TestServer, withClient, withDatabase } from "../../support/server.ts";
import { waitUntil } from "../../support/wait.ts";
import { act, done, propose, READ } from "./calls.ts";

/** An action of the prepared ledger. */
export interface PreparedAction {
  readonly id: string;
  readonly uuid: string;
  readonly digest: string;
  readonly chainHash: string;
  /** Of its grant; empty where none was claimed. */
  readonly token: string;
}

/** What the prepared ledger holds, for manipulations and attempts. */
export interface Facts {
  readonly actions: Readonly<Record<ActionName, PreparedAction>>;
  readonly session: { readonly uuid: string; readonly conversation: string };
  readonly ended: { readonly uuid: string };
  readonly idle: { readonly conversation: string; readonly chain: string };
  /** A token that was revoked, and its `jti`. */
  readonly revoked: { readonly token: string; readonly jti: string };
  /** Bodies of entries of acme/eu, by type, the latest of each; of proposals and decisions by action, too. */
  readonly bodies: ReadonlyMap<string, Body>;
  readonly last: number;
}
export type Body = Readonly<Record<string, unknown>>;

export type ActionName =
  | "expired"
  | "ambiguous"
  | "pending"
  | "approved"
  | "claimed"
  | "claimedTwice"
  | "executing"
  | "denied"
  | "cancelled"
  | "succeeded"
  | "failed"
  | "blocked"
  | "allowed";

/** A PostgreSQL with a database to copy, and a data directory to copy with it. */
export interface Prepared {
  readonly server: TestServer;
  readonly template: string;
  readonly dataDir: string;
  readonly keysFile: string;
  readonly facts: Facts;
  close(): Promise<void>;
}

const TEMPLATE = "prepared";
/** The server's own login, which is no superuser. */
const LOGIN = "countersign_server";
const PASSWORD = "campaign";

export function loginUrl(serverUrl: string, database: string): string {
  const url = new URL(withDatabase(serverUrl, database));
  url.username = LOGIN;
  url.password = PASSWORD;
  return url.href;
}

const DAY = "86400";
const PATIENT = { APPROVAL_TTL: DAY, GRANT_TTL: DAY, EXECUTION_TTL: DAY };

async function statusOf(app: App, id: string): Promise<string> {
  const { action } = await app.ask<{ action: { status: string } }>(
    "query($id:ID!){action(id:$id){status}}",
    { id },
    "agent",
  );
  return action.status;
}

/** Actions that wait too long, and are settled by the server. */
async function makeLate(app: App): Promise<Pick<Facts["actions"], "expired" | "ambiguous">> {
  const expired = await propose(app);
  const ambiguous = await propose(app, READ);
  await act(app, "agent", "redeemGrant", { token: ambiguous.token, digest: ambiguous.digest });
  await waitUntil(async () => (await statusOf(app, expired.id)) === "EXPIRED");
  await waitUntil(async () => (await statusOf(app, ambiguous.id)) === "AMBIGUOUS");
  return { expired, ambiguous };
}

async function makeActions(app: App): Promise<Omit<Facts["actions"], "expired" | "ambiguous">> {
  const approve = async () => {
    const action = await propose(app);
    await act(app, "approver", "approveAction", { actionId: action.id, digest: action.digest, note: "fine" });
    return action;
  };
  const claim = async (action: PreparedAction) => {
    const { grant } = await act(app, "agent", "claimGrant", { actionId: action.id }, "grant{token}");
    return { ...action, token: grant?.token ?? "" };
  };
  const redeem = async (action: PreparedAction) => {
    await act(app, "agent", "redeemGrant", { token: action.token, digest: action.digest });
    return action;
  };
  const complete = async (outcome: string) => {
    const action = await redeem(await claim(await approve()));
    await act(app, "agent", "completeAction", { actionId: action.id, outcome, result: { done: outcome } });
    return action;
  };
  const denied = await propose(app);
  await act(app, "approver", "denyAction", { actionId: denied.id, digest: denied.digest, note: "no" });
  const cancelled = await propose(app);
  await act(app, "agent", "cancelAction", { actionId: cancelled.id });
  const claimedTwice = await claim(await approve());
  await claim(claimedTwice);
  return {
    pending: await propose(app),
    approved: await approve(),
    claimed: await claim(await approve()),
    claimedTwice,
    executing: await redeem(await claim(await approve())),
    denied,
    cancelled,
    succeeded: await complete("SUCCEEDED"),
    failed: await complete("FAILED"),
    blocked: await propose(app, { platform: "crm", tool: "drop_all" }),
    allowed: await propose(app, READ),
  };
}

async function makeDirectory(app: App): Promise<Facts["revoked"]> {
  const administer = (mutation: string, input: object) => done(app, "admin", mutation, input, "__typename");
  await administer("inviteAgent", { agentId: "bot-1", displayName: "Bot", ownerId: "member" });
  await administer("setPrincipalRoles", { principalId: "member", roles: ["member"] });
  await administer("suspendPrincipal", { principalId: "approver2", reason: "left" });
  const token = await app.token("member");
  const { jti } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as { jti: string };
  await administer("revokeToken", { tokenId: jti, reason: "lost" });
  return { token, jti };
}

async function makeSessions(app: App): Promise<Pick<Facts, "session" | "ended" | "idle">> {
  const start = async (conversationId: string) => {
    type Started = {
      readonly session: { readonly id: string };
      readonly userErrors: readonly { readonly code: string }[];
    };
    const { session } = await done<Started>(app, "agent", "startSession", { conversationId }, "session{id}");
    return { ...session, uuid: Buffer.from(session.id, "base64url").toString().slice(-36) };
  };
  const [open, over] = [await start("conversation-open"), await start("conversation-ended")];
  await done(app, "agent", "endSession", { sessionId: over.id }, "__typename");
  await propose(app, { ...READ, conversationId: "conversation-idle" });
  const { chainHash } = await propose(app, { conversationId: "conversation-idle" });
  return {
    session: { uuid: open.uuid, conversation: "conversation-open" },
    ended: { uuid: over.uuid },
    idle: { conversation: "conversation-idle", chain: chainHash },
  };
}

/** A guard is off for a moment, which an administrator acknowledges. */
async function makeAcknowledgement(app: App, url: string): Promise<void> {
  const enabled = (is: string) =>
    withClient(url, (client) =>
      client.query(`UPDATE pg_event_trigger SET evtenabled = '${is}' WHERE evtname = 'oc_guard_rewrite'`),
    );
  await enabled("D");
  await waitUntil(() => app.lines.some((line) => line.includes('"verdict":"UNGUARDED"')));
  await enabled("A");
  await done(app, "admin", "acknowledgeLedger", { note: "maintenance" }, "__typename");
}

async function readBodies(url: string): Promise<Pick<Facts, "bodies" | "last">> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ seq: string; type: string; action: string | null; body: Body }>(
      "SELECT seq, type, action_id AS action, entry::jsonb -> 'body' AS body FROM oc_audit_log WHERE ledger = 'acme/eu' ORDER BY seq",
    );
    const named = rows.flatMap(({ type, action, body }): readonly (readonly [string, Body])[] => [
      [type, body],
      ...(action === null ? [] : [[`${type} ${action}`, body] as const]),
    ]);
    return { bodies: new Map(named), last: Number(rows.at(-1)?.seq) };
  });
}

/** Makes the ledger that is manipulated, by calls of the running product. */
export async function prepare(): Promise<Prepared> {
  const server = await startTestServer();
  const directory = await mkdtemp(path.join(tmpdir(), "countersign-campaign-"));
  const url = withDatabase(server.url, TEMPLATE);
  const onServer = (sql: string) => withClient(server.url, (client) => client.query(sql));
  await onServer(`CREATE DATABASE ${TEMPLATE} TEMPLATE template0`);
  await migrate({ connectionString: url, log: silent });
  await onServer(`CREATE ROLE ${LOGIN} LOGIN PASSWORD '${PASSWORD}' IN ROLE oc_app`);
  const databaseUrl = loginUrl(server.url, TEMPLATE);
  const first = await startApp({
    databaseUrl,
    environment: { ...PATIENT, APPROVAL_TTL: "1", EXECUTION_TTL: "1", SWEEP_INTERVAL: "0.05" },
  });
  const late = await makeLate(first);
  await first.stop();
  const app = await startApp({
    databaseUrl,
    dataDir: first.dataDir,
    environment: { ...PATIENT, WATCH_INTERVAL: "0.5", WATCH_SHARE: "100" },
  });
  const actions = { ...late, ...(await makeActions(app)) };
  const sessions = await makeSessions(app);
  const revoked = await makeDirectory(app);
  await app.ask("{auditEntries(first:5){nodes{seq}}}", {}, "auditor");
  await app.ask("{ledger{head{seq}}}", {}, "outsider");
  await makeAcknowledgement(app, url);
  await app.stop();
  const { stdout } = await countersign(["keys", "export", "--data-dir", app.dataDir]);
  const keysFile = path.join(directory, "keys.jwks");
  await writeFile(keysFile, stdout);
  const dataDir = path.join(directory, "data");
  await cp(app.dataDir, dataDir, { recursive: true });
  await rm(app.dataDir, { recursive: true });
  return {
    server,
    template: TEMPLATE,
    dataDir,
    keysFile,
    facts: { actions, ...sessions, revoked, ...(await readBodies(url)) },
    async close() {
      await server.stop();
      await rm(directory, { recursive: true });
    },
  };
}
