import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { startProxy } from "../support/proxy.ts";
import { type FakeSlack, startFakeSlack } from "../support/slack/fake-slack.ts";
import { waitUntil } from "../support/wait.ts";

let database: TestDatabase;
let slack: FakeSlack;
let proxy: Awaited<ReturnType<typeof startProxy>>;
let app: App;
const apps: App[] = [];

/** A server behind a proxy of its own, on the database that all of them share. */
async function start(): Promise<void> {
  proxy = await startProxy(database.appUrl);
  const [first] = apps;
  app = await startApp({
    databaseUrl: proxy.url,
    ...(first === undefined ? {} : { dataDir: first.dataDir }),
    environment: {
      SLACK_API_URL: slack.apiUrl,
      CHANNEL_PRIVATE_ADDRESSES: "127.0.0.1",
      CHANNEL_LEASE: "1",
      CHANNEL_INTERVAL: "0.1",
    },
  });
  apps.push(app);
}

/** Kills the server before the next request with `marker` reaches the database, and starts another one. */
async function killAt(marker: string, during: () => Promise<unknown>): Promise<void> {
  const held = proxy.holdAt(marker);
  const done = during().catch(() => undefined);
  await held;
  const before = proxy;
  await app.kill();
  await start();
  await before.close();
  await done;
}

beforeAll(async () => {
  database = await createTestDatabase();
  slack = await startFakeSlack();
  await start();
  slack.channels.add("C0OPS");
  const channel = {
    name: "ops",
    slack: {
      mode: "HTTP",
      teamId: slack.teamId,
      appId: slack.appId,
      channelId: "C0OPS",
      botToken: slack.botToken,
      signingSecret: slack.signingSecret,
    },
  };
  const configured = await app.ask<{ configureChannel: { userErrors: readonly object[] } }>(
    "mutation($input:ConfigureChannelInput!){configureChannel(input:$input){userErrors{message}}}",
    { input: channel },
    "admin",
  );
  expect(configured.configureChannel.userErrors).toEqual([]);
});
afterAll(async () => {
  await app.stop();
  await proxy.close();
  const [first] = apps;
  if (first !== undefined) await forget(first);
  await slack.close();
  await database.drop();
});

interface Action {
  readonly id: string;
  readonly uuid: string;
  readonly digest: string;
}

/** Again with the same key until it is answered: it is one action. */
async function propose(): Promise<Action> {
  const input = {
    idempotencyKey: randomUUID(),
    platform: "reservations",
    tool: "book_reservation",
    arguments: { user_id: randomUUID() },
  };
  for (;;) {
    const { data } = await app
      .gql<{ proposeAction: { action: Action | null } }>(
        "mutation($input:ProposeActionInput!){proposeAction(input:$input){action{id uuid digest}}}",
        { input },
        "agent",
      )
      .catch(() => ({ data: undefined }));
    if (data?.proposeAction.action) return data.proposeAction.action;
    await sleep(50);
  }
}

const approve = ({ id, digest }: Action) =>
  app.gql(
    "mutation($input:ApproveActionInput!){approveAction(input:$input){userErrors{code}}}",
    { input: { actionId: id, digest } },
    "approver",
  );

/** The messages about an action, as they are now. */
const messagesOf = ({ digest }: Action) =>
  slack.messages.filter(({ text }) => text.includes(digest.slice("sha256:".length, "sha256:".length + 8)));
const saysDecided = (action: Action) => {
  const messages = messagesOf(action);
  return messages.length > 0 && messages.every(({ text }) => /approved/i.test(text));
};

/** Everything that a server asks of the database between an entry and the end of what is sent because of it, in order. */
const STEPS = [
  ["before the notice is recorded", "NOTICE_QUEUED"],
  ["before what is to be sent is noted", "INSERT INTO oc_work.outbox"],
  ["before the position is", "UPDATE oc_work.notice_work SET position"],
  ["before it is looked for", "SELECT o.action, o.first_seq"],
  ["after it was sent, and before that is recorded", "NOTICE_SENT"],
  ["before it is done with", "DELETE FROM oc_work.outbox"],
] as const;

describe("a server killed while it sends notices", () => {
  it.each(STEPS)("%s: the notice is sent all the same, and says what became of the action", async (_, marker) => {
    let action: Action | undefined;
    await killAt(marker, async () => {
      action = await propose();
    });
    action ??= await propose();
    const proposed = action;
    await waitUntil(() => messagesOf(proposed).length > 0);
    await approve(proposed);
    await waitUntil(() => saysDecided(proposed));
    expect(messagesOf(proposed)).toHaveLength(1);
  });

  it.each(STEPS.filter(([, marker]) => !marker.startsWith("NOTICE_")))(
    "%s, of a decision: what was sent before says it in the end, and it was decided once",
    async (_, marker) => {
      const action = await propose();
      await waitUntil(() => messagesOf(action).length > 0);
      await waitUntil(async () => (await noticesOf(action)).some(({ status }) => status === "SENT"));
      await killAt(marker, () => approve(action));
      await approve(action);
      await waitUntil(() => saysDecided(action));
      const { action: now } = await app.ask<{ action: { decisions: readonly object[]; status: string } }>(
        "query($id:ID!){action(id:$id){status decisions{verdict}}}",
        { id: action.id },
        "auditor",
      );
      expect(now).toEqual({ status: "APPROVED", decisions: [{ verdict: "APPROVE" }] });
    },
  );

  it("leaves a ledger that verifies, with one notice for each action", async () => {
    const { verifyLedger } = await app.ask<{ verifyLedger: object }>(
      "{verifyLedger{verdict problems{detail}}}",
      {},
      "auditor",
    );
    expect(verifyLedger).toEqual({ verdict: "INTACT", problems: [] });
  });
});

async function noticesOf({ id }: Action) {
  const { action } = await app.ask<{ action: { notices: readonly { status: string }[] } }>(
    "query($id:ID!){action(id:$id){notices{status}}}",
    { id },
    "auditor",
  );
  return action.notices;
}
