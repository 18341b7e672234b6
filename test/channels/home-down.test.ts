import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { startProxy } from "../support/proxy.ts";
import { type FakeSlack, startFakeSlack } from "../support/slack/fake-slack.ts";
import { makeCatalog } from "../support/two-regions.ts";
import { waitUntil } from "../support/wait.ts";

/** People are told of actions of another region, and decide them in Slack, while the database of the home region is down. */
const PLACE = "C0OPS";
let eu: TestDatabase;
let us: TestDatabase;
let proxy: Awaited<ReturnType<typeof startProxy>>;
let slack: FakeSlack;
let app: App;
let environment: Record<string, string>;

beforeAll(async () => {
  [eu, us] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  [proxy, slack] = await Promise.all([startProxy(eu.appUrl), startFakeSlack()]);
  slack.channels.add(PLACE);
  const { dataDir, catalog } = await makeCatalog();
  environment = {
    CATALOG: catalog,
    REGIONS: `us=${us.appUrl}`,
    SLACK_API_URL: slack.apiUrl,
    CHANNEL_INTERVAL: "0.1",
    CHANNEL_PRIVATE_ADDRESSES: "127.0.0.1,::1",
  };
  await start(dataDir);
});

afterAll(async () => {
  await app.stop();
  await forget(app);
  await Promise.all([slack.close(), proxy.close()]);
  await Promise.all([eu.drop(), us.drop()]);
});

async function start(dataDir: string): Promise<void> {
  app = await startApp({ databaseUrl: proxy.url, dataDir, environment });
  slack.setRequestUrl(`${new URL(app.url).origin}/channels/slack/acme/ops`);
}

interface Action {
  readonly id: string;
  readonly digest: string;
}

async function propose(platform: string, tool: string): Promise<Action> {
  const input = { idempotencyKey: randomUUID(), platform, tool, arguments: { text: "a row" }, repeat: true };
  const { proposeAction } = await app.ask<{ proposeAction: { action: Action } }>(
    `mutation ($input: ProposeActionInput!) { proposeAction(input: $input) { action { id digest } userErrors { code } } }`,
    { input },
    "agent",
  );
  return proposeAction.action;
}

const about = ({ digest }: Action) =>
  slack.posted(PLACE).filter((one) => one.text.includes(digest.slice("sha256:".length, "sha256:".length + 8)));

async function statusOf({ id }: Action): Promise<object> {
  const query = `query ($id: ID!) { action(id: $id) { status decisions { verdict channel approver { id } } } }`;
  return (await app.ask<{ action: object }>(query, { id }, "auditor")).action;
}

const APPROVED = {
  status: "APPROVED",
  decisions: [{ verdict: "APPROVE", channel: "SLACK", approver: { id: "approver" } }],
};

/** Configures Slack and links the approver's account, as people do. */
async function connect(): Promise<void> {
  const { teamId, appId, botToken, signingSecret } = slack;
  const settings = { mode: "HTTP", teamId, appId, channelId: PLACE, botToken, signingSecret };
  await app.ask(
    `mutation ($input: ConfigureChannelInput!) { configureChannel(input: $input) { userErrors { code message } } }`,
    { input: { name: "ops", slack: settings } },
    "admin",
  );
  slack.addUser("U1");
  const first = await propose("sheets", "append_row");
  await waitUntil(() => about(first).length === 1);
  await slack.press("U1", about(first)[0]!, "Approve");
  await waitUntil(() => slack.told("U1").length > 0);
  await slack.press("U1", slack.told("U1").at(-1)!, "Link account…");
  await waitUntil(() => slack.views.some((view) => view.user === "U1"));
  const { startAccountLink } = await app.ask<{ startAccountLink: { code: string } }>(
    `mutation ($input: StartAccountLinkInput!) { startAccountLink(input: $input) { code userErrors { code } } }`,
    { input: { channel: "ops" } },
    "approver",
  );
  await slack.submit(slack.views.find((view) => view.user === "U1")!, startAccountLink.code);
}

/** The position of the home ledger up to which the ledger of us has copies. */
async function copiedUpTo(): Promise<bigint> {
  const { auditEntries } = await app.ask<{ auditEntries: { nodes: { body: { home: { seq: string } } }[] } }>(
    `{ auditEntries(region: "us", newestFirst: true, first: 1, filter: { types: ["HOME_COPIED"] }) { nodes { body } } }`,
    {},
    "auditor",
  );
  return BigInt(auditEntries.nodes[0]?.body.home.seq ?? 0);
}

describe("a channel of the home region, whose database is down", () => {
  it("tells of what another region asks people, who decide it there", async () => {
    await connect();
    const { auditEntries } = await app.ask<{ auditEntries: { nodes: { seq: string }[] } }>(
      `{ auditEntries(region: "eu", newestFirst: true, first: 1, filter: { types: ["ACCOUNT_LINKED"] }) { nodes { seq } } }`,
      {},
      "auditor",
    );
    const linked = BigInt(auditEntries.nodes[0]?.seq ?? 0);
    expect(linked).toBeGreaterThan(0n);
    await waitUntil(async () => (await copiedUpTo()) >= linked);
    proxy.swallow();
    await proxy.close();
    const action = await propose("sheets", "append_row");
    await waitUntil(() => about(action).length === 1);
    await slack.press("U1", about(action)[0]!, "Approve");
    await waitUntil(async () => JSON.stringify(await statusOf(action)).includes('"APPROVED"'));
    expect(await statusOf(action)).toEqual(APPROVED);
    await waitUntil(() => about(action)[0]!.text.includes("Approved"));
  });

  it("does so on a server that is started meanwhile, and for nobody who is not linked", async () => {
    await app.stop();
    await start(app.dataDir);
    const action = await propose("sheets", "append_row");
    await waitUntil(() => about(action).length === 1);
    slack.addUser("U2");
    const toldBefore = slack.told("U2").length;
    await slack.press("U2", about(action)[0]!, "Approve");
    await waitUntil(() => slack.told("U2").length > toldBefore);
    expect(await statusOf(action)).toMatchObject({ status: "PENDING", decisions: [] });
    await slack.press("U1", about(action)[0]!, "Approve");
    await waitUntil(async () => JSON.stringify(await statusOf(action)).includes('"APPROVED"'));
    expect(await statusOf(action)).toEqual(APPROVED);
  });
});
