import { afterAll, beforeAll, expect, it } from "vitest";
import { act, propose } from "../graphql/steps.ts";
import { serveApis } from "../http/served-api.ts";
import { type FakeSlack, startFakeSlack } from "../support/slack/fake-slack.ts";
import { waitUntil } from "../support/wait.ts";
import { configure } from "./steps.ts";

const HOME = "C0OPS";
const USER = "U1OPS";
const { start } = serveApis();
let slack: FakeSlack;

beforeAll(async () => {
  slack = await startFakeSlack();
  slack.channels.add(HOME);
  slack.addUser(USER);
});
afterAll(() => slack?.close());

it("decides nothing by a connection that is older than the removal of its channel at another server", async () => {
  const api = await start({ channels: { interval: 3_600, lease: 10_000 }, slackApiUrl: slack.apiUrl });
  const other = await start({ slackApiUrl: slack.apiUrl });
  const { teamId, appId, botToken, appToken } = slack;
  const settings = { mode: "SOCKET", teamId, appId, channelId: HOME, botToken, appToken };
  expect(await configure(api, { name: "ops", slack: settings })).toMatchObject({ userErrors: [] });
  await waitUntil(() => slack.connected.size === 1);
  const asked = async () => {
    const { action } = await propose(api);
    const about = () => slack.posted(HOME).filter(({ text }) => text.includes(action.digest.slice(7, 15)));
    await waitUntil(() => about().length === 1);
    return { action, message: about()[0]! };
  };
  await slack.press(USER, (await asked()).message, "Approve");
  await waitUntil(() => slack.told(USER).length === 1);
  await slack.press(USER, slack.told(USER).at(-1)!, "Link account…");
  await waitUntil(() => slack.views.length === 1);
  const link = { channel: "ops" };
  const { code } = await act<{ code: string }>(api, "startAccountLink", link, "approver", "code userErrors{code}");
  await slack.submit(slack.views.at(-1)!, code);
  const { action, message } = await asked();
  const removed = await act<object>(other, "removeChannel", { name: "ops" }, "admin", "userErrors{code}");
  expect(removed).toEqual({ userErrors: [] });
  expect(slack.connected.size).toBe(1);
  const query = "query($id:ID!){action(id:$id){status decisions{verdict}}}";
  const shown = async () =>
    (await other.gql<{ action: { status: string } }>(query, { id: action.id }, { as: "auditor" })).data.action;
  const before = slack.told(USER).length;
  await slack.press(USER, message, "Approve");
  // Either the person is told why not, or it was decided.
  await waitUntil(async () => slack.told(USER).length > before || (await shown()).status !== "PENDING");
  expect(await shown()).toEqual({ status: "PENDING", decisions: [] });
});
