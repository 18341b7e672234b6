import { afterAll, beforeAll, expect, it } from "vitest";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { act, propose } from "../graphql/steps.ts";
import type { Api } from "../http/harness.ts";
import { serveApis } from "../http/served-api.ts";
import { keepState } from "../ledger/manipulate-states.ts";
import { textsOf } from "../support/slack/blocks.ts";
import { type FakeSlack, startFakeSlack } from "../support/slack/fake-slack.ts";
import { waitUntil } from "../support/wait.ts";
import { configure } from "./steps.ts";

/** What was taken back stays taken back, whatever a code or a row of the database says. */

const HOME = "C0OPS";
const USER = "U1OPS";
const { start, database } = serveApis();
let api: Api;
let slack: FakeSlack;

beforeAll(async () => {
  slack = await startFakeSlack();
  for (const channel of [HOME, "C1OTHER"]) slack.channels.add(channel);
  slack.addUser(USER);
  api = await start({ channels: { interval: 0.1 }, slackApiUrl: slack.apiUrl });
  slack.setRequestUrl(`${new URL(api.url).origin}/channels/slack/acme/ops`);
  const { teamId, appId, botToken, signingSecret } = slack;
  const settings = { mode: "HTTP", teamId, appId, channelId: HOME, botToken, signingSecret };
  expect(await configure(api, { name: "ops", slack: settings })).toMatchObject({ userErrors: [] });
  const other = { ...settings, channelId: "C1OTHER" };
  expect(await configure(api, { name: "other", slack: other })).toMatchObject({ userErrors: [] });
});
afterAll(() => slack?.close());

const administer = (name: string, input: object) => act<object>(api, name, input, "admin", "userErrors{code}");
const codeFor = async (as: DemoName) =>
  (await act<{ code: string }>(api, "startAccountLink", { channel: "ops" }, as, "code userErrors{code}")).code;

/** A dialog for the code of an account, as the person gets it who presses without a link. */
async function dialogOf() {
  const { message } = await asked();
  const before = slack.told(USER).length;
  await slack.press(USER, message, "Approve");
  await waitUntil(() => slack.told(USER).length > before);
  await slack.press(USER, slack.told(USER).at(-1)!, "Link account…");
  await waitUntil(() => slack.views.some(({ closed }) => !closed));
  return slack.views.findLast(({ closed }) => !closed)!;
}

async function asked() {
  const { action } = await propose(api);
  const reference = action.digest.slice("sha256:".length, "sha256:".length + 8);
  const about = () => slack.posted(HOME).filter(({ text }) => text.includes(reference));
  await waitUntil(() => about().length === 1);
  return { action, message: about()[0]! };
}

async function decisionsOn(id: string): Promise<unknown> {
  const query = "query($id:ID!){action(id:$id){status decisions{verdict}}}";
  return (await api.gql<{ action: unknown }>(query, { id }, { as: "auditor" })).data.action;
}

it("links nobody by a code that is older than what the directory says of the person", async () => {
  const dialog = await dialogOf();
  const code = await codeFor("approver");
  await administer("setPrincipalRoles", { principalId: "approver", roles: ["auditor"] });
  await slack.submit(dialog, code);
  expect(dialog.errors?.input).toContain("not valid");
  await slack.submit(dialog, await codeFor("approver"));
  expect(textsOf(dialog.view.blocks).join()).toContain("is linked to");
});

it("decides nothing by an account, and uses no channel, of a row that is put back after it was taken back", async () => {
  const { action, message } = await asked();
  const account = `SLACK/${slack.teamId}/${USER}`;
  const rows = [
    await keepState(database.superuserUrl, "ACCOUNT", account),
    await keepState(database.superuserUrl, "CHANNEL", "other"),
  ];
  expect(await act(api, "unlinkAccount", { accountId: account }, "approver", "userErrors{code}")).toEqual({
    userErrors: [],
  });
  expect(await administer("removeChannel", { name: "other" })).toEqual({ userErrors: [] });
  for (const row of rows) await row.putBack();
  await slack.press(USER, message, "Approve");
  expect(await decisionsOn(action.id)).toEqual({ status: "PENDING", decisions: [] });
  const { errors } = await api.gql("{channels{name}}", {}, { as: "auditor" });
  expect(errors).toMatchObject([{ extensions: { code: "LEDGER_CORRUPT" } }]);
});

it("keeps the connections of no other organization from being made", async () => {
  const token = await api.token("outsider", { roles: ["admin"] });
  const { teamId, appId, botToken, appToken } = slack;
  const socket = { mode: "SOCKET", teamId, appId, channelId: HOME, botToken, appToken };
  const { data } = await api.gql(
    "mutation($input:ConfigureChannelInput!){configureChannel(input:$input){userErrors{code message}}}",
    { input: { name: "theirs", slack: socket } },
    { token },
  );
  expect(data).toEqual({ configureChannel: { userErrors: [] } });
  await waitUntil(() => slack.connected.size === 1);
});
