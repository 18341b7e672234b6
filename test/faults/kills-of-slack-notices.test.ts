import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { textsOf } from "../support/slack/blocks.ts";
import { type FakeSlack, startFakeSlack } from "../support/slack/fake-slack.ts";
import { waitUntil } from "../support/wait.ts";

const HOME = "C0OPS";
const MIA = "U0MIA";

let database: TestDatabase;
let slack: FakeSlack;
const apps: App[] = [];

/** The server, again on what it left behind, connected to Slack. */
async function start(): Promise<App> {
  const [before] = apps;
  const app = await startApp({
    databaseUrl: database.appUrl,
    ...(before === undefined ? {} : { dataDir: before.dataDir }),
    environment: {
      SLACK_API_URL: slack.apiUrl,
      CHANNEL_PRIVATE_ADDRESSES: "127.0.0.1",
      CHANNEL_INTERVAL: "0.1",
      CHANNEL_LEASE: "1",
    },
  });
  apps.push(app);
  return app;
}

async function mutate<Data extends object>(
  app: App,
  name: string,
  input: object,
  as: "admin" | "agent" | "approver",
  selection: string,
): Promise<Data> {
  const type = `${name[0]?.toUpperCase()}${name.slice(1)}Input`;
  const query = `mutation($input:${type}!){${name}(input:$input){${selection} userErrors{code message}}}`;
  const data = await app.ask<Record<string, Data & { readonly userErrors: readonly unknown[] }>>(query, { input }, as);
  expect(data[name]?.userErrors).toEqual([]);
  return data[name]!;
}

async function propose(app: App) {
  const input = {
    idempotencyKey: randomUUID(),
    platform: "reservations",
    tool: "book_reservation",
    arguments: { user_id: "mia" },
    repeat: true,
  };
  const { action } = await mutate<{ action: { id: string; digest: string } }>(
    app,
    "proposeAction",
    input,
    "agent",
    "action{id digest}",
  );
  return action;
}

const about = ({ digest }: { readonly digest: string }) =>
  slack.posted(HOME).filter(({ text }) => text.includes(digest.slice("sha256:".length, "sha256:".length + 8)));
const saying = (message: { readonly blocks: unknown } | undefined) => textsOf(message?.blocks).join("\n");

beforeAll(async () => {
  database = await createTestDatabase();
  // Without the scope by which a message could be found again.
  slack = await startFakeSlack({ scopes: ["chat:write", "users:read"] });
  slack.channels.add(HOME);
  slack.addUser(MIA);
});
afterAll(async () => {
  await apps.at(-1)?.stop();
  if (apps[0] !== undefined) await forget(apps[0]);
  await slack?.close();
  await database?.drop();
});

it("a server that is killed while Slack has a message, or is about to change one, says everything once it is back", async () => {
  const first = await start();
  const { teamId, appId, botToken, appToken } = slack;
  const settings = { mode: "SOCKET", teamId, appId, channelId: HOME, botToken, appToken };
  await mutate(first, "configureChannel", { name: "ops", slack: settings }, "admin", "channel{name}");
  await waitUntil(() => slack.connected.size === 1);

  // Slack has the message, and the server does not know it.
  const posted = Promise.withResolvers<void>();
  slack.fail("chat.postMessage", { kind: "SLOW_ANSWER", until: posted.promise });
  const action = await propose(first);
  await waitUntil(() => about(action).length === 1);
  await first.kill();
  posted.resolve();
  const second = await start();
  await waitUntil(() => about(action).length === 2 && slack.connected.size === 1);
  const [copy, kept] = about(action);

  // Whoever presses on the copy that nobody knows of is linked by it, and decides with it.
  await slack.press(MIA, copy!, "Approve");
  await waitUntil(() => slack.told(MIA).length === 1);
  await slack.press(MIA, slack.told(MIA)[0]!, "Link account…");
  await waitUntil(() => slack.views.length === 1);
  const { code } = await mutate<{ code: string }>(second, "startAccountLink", { channel: "ops" }, "approver", "code");
  await slack.submit(slack.views[0]!, code);

  // The decision is recorded, and Slack has not changed the message yet.
  const changed = Promise.withResolvers<void>();
  slack.fail("chat.update", { kind: "SLOW", until: changed.promise });
  await slack.press(MIA, copy!, "Approve");
  await waitUntil(() => slack.calls.some(({ method }) => method === "chat.update"));
  await second.kill();
  const third = await start();
  await waitUntil(() => saying(kept).includes("Approved by") && slack.connected.size === 1);
  changed.resolve();

  // The other copy is brought up to date when it is pressed again, and nothing was decided twice.
  await slack.press(MIA, copy!, "Approve");
  await waitUntil(() => saying(copy).includes("Approved by"));
  const query = "query($id:ID!){action(id:$id){status decisions{verdict channel} notices{status}}}";
  const { action: found } = await third.ask<{ action: object }>(query, { id: action.id }, "admin");
  expect(found).toEqual({
    status: "APPROVED",
    decisions: [{ verdict: "APPROVE", channel: "SLACK" }],
    notices: [{ status: "SENT" }],
  });
  for (const message of [copy, kept]) expect(saying(message)).not.toContain("Approve with note…");
});
