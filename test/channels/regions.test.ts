import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";
import { makeDataDir } from "../support/server.ts";
import { textsOf } from "../support/slack/blocks.ts";
import { type FakeSlack, startFakeSlack } from "../support/slack/fake-slack.ts";
import { waitUntil } from "../support/wait.ts";

/** A channel that is configured at home tells of the actions of another region, and people decide them there. */
const PLACE = "C0OPS";
const CATALOG = {
  platforms: { crm: { region: "eu" }, sheets: { region: "us" } },
  tools: {
    update_contact: { platform: "crm", effect: "WRITE" },
    append_row: { platform: "sheets", effect: "WRITE" },
  },
};

let eu: TestDatabase;
let us: TestDatabase;
let slack: FakeSlack;
let app: App;

beforeAll(async () => {
  [eu, us] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  slack = await startFakeSlack();
  slack.channels.add(PLACE);
  const dataDir = await makeDataDir();
  const catalog = path.join(dataDir, "catalog.json");
  await writeFile(catalog, JSON.stringify(CATALOG));
  const environment = {
    CATALOG: catalog,
    REGIONS: `us=${us.appUrl}`,
    SLACK_API_URL: slack.apiUrl,
    CHANNEL_INTERVAL: "0.1",
    CHANNEL_PRIVATE_ADDRESSES: "127.0.0.1,::1",
  };
  app = await startApp({ databaseUrl: eu.appUrl, dataDir, environment });
  slack.setRequestUrl(`${new URL(app.url).origin}/channels/slack/acme/ops`);
  const { teamId, appId, botToken, signingSecret } = slack;
  const settings = { mode: "HTTP", teamId, appId, channelId: PLACE, botToken, signingSecret };
  const { configureChannel } = await app.ask<{ configureChannel: object }>(
    `mutation ($input: ConfigureChannelInput!) { configureChannel(input: $input) { userErrors { code message } } }`,
    { input: { name: "ops", slack: settings } },
    "admin",
  );
  expect(configureChannel).toEqual({ userErrors: [] });
});

afterAll(async () => {
  await app.stop();
  await forget(app);
  await slack.close();
  await Promise.all([eu.drop(), us.drop()]);
});

interface Action {
  readonly id: string;
  readonly uuid: string;
  readonly digest: string;
}

async function propose(platform: string, tool: string): Promise<Action> {
  const input = { idempotencyKey: randomUUID(), platform, tool, arguments: { text: "a row" }, repeat: true };
  const { proposeAction } = await app.ask<{ proposeAction: { action: Omit<Action, "uuid"> } }>(
    `mutation ($input: ProposeActionInput!) { proposeAction(input: $input) { action { id digest } userErrors { code } } }`,
    { input },
    "agent",
  );
  const { action } = proposeAction;
  return { ...action, uuid: Buffer.from(action.id, "base64url").toString().split(":").at(-1) ?? "" };
}

const about = ({ digest }: Action) =>
  slack.posted(PLACE).filter((one) => one.text.includes(digest.slice("sha256:".length, "sha256:".length + 8)));

async function shown(id: string): Promise<object> {
  const query = `query ($id: ID!) { action(id: $id) { status decisions { verdict channel approver { id } } notices { name status } } }`;
  return (await app.ask<{ action: object }>(query, { id }, "auditor")).action;
}

/** Every text of every row of every table. */
async function holds({ superuserUrl }: TestDatabase, text: string): Promise<boolean> {
  return withClient(superuserUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'`,
    );
    for (const { name } of rows) {
      const { rowCount } = await client.query(`SELECT 1 FROM ${name} t WHERE strpos(t::text, $1) > 0 LIMIT 1`, [text]);
      if (rowCount !== 0) return true;
    }
    return false;
  });
}

it("tells of an action of another region, which is decided there, and nothing of it is at home", async () => {
  slack.addUser("U1");
  const first = await propose("crm", "update_contact");
  await waitUntil(() => about(first).length === 1);
  await slack.press("U1", about(first)[0]!, "Approve");
  await waitUntil(() => slack.told("U1").length > 0);
  await slack.press("U1", slack.told("U1").at(-1)!, "Link account…");
  await waitUntil(() => slack.views.some((view) => view.user === "U1"));
  const dialog = slack.views.find((view) => view.user === "U1")!;
  const { startAccountLink } = await app.ask<{ startAccountLink: { code: string } }>(
    `mutation ($input: StartAccountLinkInput!) { startAccountLink(input: $input) { code userErrors { code } } }`,
    { input: { channel: "ops" } },
    "approver",
  );
  await slack.submit(dialog, startAccountLink.code);
  expect(textsOf(dialog.view.blocks).join()).toContain("is linked to");

  const action = await propose("sheets", "append_row");
  await waitUntil(() => about(action).length === 1);
  await waitUntil(async () => JSON.stringify(await shown(action.id)).includes('"SENT"'));

  const limitTo = async (...roles: string[]) => {
    const input = { principalId: "approver", roles: ["approver", ...roles] };
    const { setPrincipalRoles } = await app.ask<{ setPrincipalRoles: object }>(
      `mutation ($input: SetPrincipalRolesInput!) { setPrincipalRoles(input: $input) { userErrors { code } } }`,
      { input },
      "admin",
    );
    expect(setPrincipalRoles).toEqual({ userErrors: [] });
    // What was decided about them since they signed in is not known in a chat before they do again.
    await app.ask(`mutation { startSession(input: {}) { userErrors { code } } }`, {}, "approver");
  };
  await limitTo("region:eu");
  const toldBefore = slack.told("U1").length;
  await slack.press("U1", about(action)[0]!, "Approve");
  await waitUntil(() => slack.told("U1").length > toldBefore);
  expect(JSON.stringify(slack.told("U1").at(-1))).toContain("there is no such action");
  expect(await shown(action.id)).toMatchObject({ status: "PENDING", decisions: [] });
  await limitTo("region:eu", "region:us");

  await slack.press("U1", about(action)[0]!, "Approve");
  await waitUntil(async () => JSON.stringify(await shown(action.id)).includes("APPROVED"));
  expect(await shown(action.id)).toEqual({
    status: "APPROVED",
    decisions: [{ verdict: "APPROVE", channel: "SLACK", approver: { id: "approver" } }],
    notices: [{ name: "ops", status: "SENT" }],
  });
  // The link of the notice leads to a query that finds it.
  const link = /http:\/\/[^"\s|>]+\/actions\/us\/[0-9a-f-]{36}/.exec(JSON.stringify(about(action)[0]?.blocks))?.[0];
  const page = await (await fetch(link ?? "")).text();
  const query = decodeURIComponent(/graphql\?query=([^"&]+)/.exec(page)?.[1] ?? "");
  expect(await app.ask(query, {}, "approver2")).toMatchObject({ action: { id: action.id, platform: "sheets" } });
  expect(await holds(us, action.uuid)).toBe(true);
  expect(await holds(eu, action.uuid)).toBe(false);
  await slack.press("U1", about(first)[0]!, "Approve");
  await waitUntil(async () => JSON.stringify(await shown(first.id)).includes("APPROVED"));
  expect(await holds(us, first.uuid)).toBe(false);
  for (const region of ["eu", "us"]) {
    const { verifyLedger } = await app.ask<{ verifyLedger: object }>(
      `query ($region: String) { verifyLedger(region: $region) { verdict problems { verdict seq detail } } }`,
      { region },
      "auditor",
    );
    expect(verifyLedger, region).toEqual({ verdict: "INTACT", problems: [] });
  }
});
