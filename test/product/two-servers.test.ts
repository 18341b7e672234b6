import { randomUUID } from "node:crypto";
import { type Client, createClient } from "graphql-ws";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";

let database: TestDatabase;
let first: App;
let second: App;
const clients: Client[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  first = await startApp({ databaseUrl: database.appUrl });
  // One directory: the servers share their keys, so each believes what the other signed.
  second = await startApp({ databaseUrl: database.appUrl, dataDir: first.dataDir });
});

afterAll(async () => {
  for (const client of clients) await client.dispose();
  await Promise.all([first.stop(), second.stop()]);
  await forget(first);
  await database.drop();
});

interface PendingEvent {
  readonly cursor: string;
  readonly change: string;
  readonly action: { readonly id: string; readonly status: string } | null;
}

/** Follows `pendingApprovals` of a server as the approver, from `after` on. */
async function follow(app: App, after: string | undefined) {
  const token = await app.token("approver");
  const client = createClient({
    url: app.url.replace("http", "ws"),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
  clients.push(client);
  const events: PendingEvent[] = [];
  const query = `subscription ($after: Sequence) { pendingApprovals(after: $after) { cursor change action { id status } } }`;
  const stop = client.subscribe<{ pendingApprovals: PendingEvent }>(
    { query, variables: { after } },
    {
      next: ({ data }) => {
        if (data && data.pendingApprovals.change !== "HEARTBEAT") events.push(data.pendingApprovals);
      },
      error: () => {},
      complete: () => {},
    },
  );
  return {
    events,
    async disconnect() {
      stop();
      await client.dispose();
    },
  };
}

interface Proposal {
  readonly id: string;
  readonly digest: string;
}

async function propose(app: App): Promise<Proposal> {
  const { proposeAction } = await app.ask<{ proposeAction: { action: Proposal } }>(
    `mutation ($input: ProposeActionInput!) { proposeAction(input: $input) { action { id digest } userErrors { code } } }`,
    {
      input: {
        idempotencyKey: randomUUID(),
        platform: "vouchers",
        tool: "send_certificate",
        arguments: { user_id: "u", amount: 50 },
        repeat: true,
      },
    },
    "agent",
  );
  return proposeAction.action;
}

async function approve(app: App, { id, digest }: Proposal): Promise<void> {
  const { approveAction } = await app.ask<{ approveAction: unknown }>(
    `mutation ($input: ApproveActionInput!) { approveAction(input: $input) { action { status } userErrors { code } } }`,
    { input: { actionId: id, digest } },
    "approver",
  );
  expect(approveAction).toEqual({ action: { status: "APPROVED" }, userErrors: [] });
}

async function head(app: App): Promise<string> {
  const { ledger } = await app.ask<{ ledger: { head: { seq: string } } }>("{ ledger { head { seq } } }", {}, "auditor");
  return ledger.head.seq;
}

describe("two servers on one database", () => {
  it("carries an approval through one to a subscriber of the other", async () => {
    const subscriber = await follow(second, await head(second));
    const action = await propose(first);
    await waitUntil(() => subscriber.events.some(({ change }) => change === "ADDED"));
    await approve(first, action);
    await waitUntil(() => subscriber.events.some(({ change }) => change === "REMOVED"));
    expect(subscriber.events.map(({ change, action: about }) => [change, about?.id])).toEqual([
      ["ADDED", action.id],
      ["REMOVED", action.id],
    ]);
    await subscriber.disconnect();
  });

  it("gives a subscriber that comes back with its cursor everything it missed, in order", async () => {
    const before = await follow(first, await head(first));
    const seen = await propose(first);
    await waitUntil(() => before.events.length === 1);
    await before.disconnect();

    const missed = [await propose(second), await propose(first), await propose(second)];
    await approve(second, missed[1] as (typeof missed)[number]);
    const after = await follow(second, before.events.at(-1)?.cursor);
    const later = await propose(first);
    await waitUntil(() => after.events.some(({ action }) => action?.id === later.id));

    expect(before.events.map(({ action }) => action?.id)).toEqual([seen.id]);
    const added = after.events.filter(({ change }) => change === "ADDED").map(({ action }) => action?.id);
    expect(added).toEqual([...missed, later].map(({ id }) => id));
    const cursors = after.events.map(({ cursor }) => BigInt(cursor));
    expect(cursors).toEqual([...cursors].sort((a, b) => (a < b ? -1 : 1)));
    await after.disconnect();
  });

  it("redeems at one server a grant that the other issued, once", async () => {
    const action = await propose(first);
    await approve(second, action);
    const { claimGrant } = await first.ask<{ claimGrant: { grant: { token: string } } }>(
      `mutation ($input: ClaimGrantInput!) { claimGrant(input: $input) { grant { token } userErrors { code } } }`,
      { input: { actionId: action.id } },
      "agent",
    );
    const { token } = claimGrant.grant;
    const redeem = (app: App) =>
      app.ask<{ redeemGrant: { userErrors: readonly { code: string }[] } }>(
        `mutation ($input: RedeemGrantInput!) { redeemGrant(input: $input) { action { status } userErrors { code } } }`,
        { input: { token, digest: action.digest } },
        "agent",
      );
    const answers = await Promise.all(Array.from({ length: 64 }, (_, n) => redeem(n % 2 ? first : second)));
    const codes = answers.map(({ redeemGrant }) => redeemGrant.userErrors[0]?.code ?? "SPENT_HERE");
    expect(codes.filter((code) => code === "SPENT_HERE")).toHaveLength(1);
    expect(codes.filter((code) => code === "GRANT_SPENT")).toHaveLength(63);
    const recorded = await first.ask<{ action: { entries: readonly { type: string }[] } }>(
      "query ($id: ID!) { action(id: $id) { status entries { type } } }",
      { id: action.id },
      "auditor",
    );
    const types = recorded.action.entries.map(({ type }) => type);
    expect(types.filter((type) => type === "GRANT_REDEEMED")).toHaveLength(1);
    // Each server records the first it refuses and counts the others of the minute, which may end meanwhile.
    const refused = types.filter((type) => type === "GRANT_REFUSED").length;
    expect(refused).toBeGreaterThanOrEqual(2);
    expect(refused).toBeLessThanOrEqual(6);
  });
});
