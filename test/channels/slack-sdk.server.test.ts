import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { App, HTTPReceiver, LogLevel, SocketModeReceiver, webApi } from "@slack/bolt";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type FakeSlack, startFakeSlack } from "../support/slack/fake-slack.ts";
import { waitUntil } from "../support/wait.ts";

/** That the Slack of our tests speaks Slack's protocols: the vendor's own SDK works with it. */

const CHANNEL = "C0OPS";
const BLOCKS = [
  { type: "section", text: { type: "mrkdwn", text: "*Refund* of 20 €" } },
  {
    type: "actions",
    block_id: "decide",
    elements: [
      { type: "button", action_id: "approve", text: { type: "plain_text", text: "Approve" }, value: "a1" },
      { type: "button", action_id: "deny", text: { type: "plain_text", text: "Deny" }, value: "a1" },
    ],
  },
];

/** The SDK writes to the console of every connection that ends. */
const logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  setLevel() {},
  setName() {},
  getLevel: () => LogLevel.ERROR,
};

let slack: FakeSlack;
let stop: (() => Promise<unknown>) | undefined;

beforeEach(async () => {
  slack = await startFakeSlack();
  slack.channels.add(CHANNEL);
  slack.addUser("U0MIA");
});
afterEach(async () => {
  await stop?.();
  stop = undefined;
  await slack?.close();
});

/** Approves at once, asks for the reason of a denial, and says what was submitted. */
function listen(app: App): readonly string[] {
  const seen: string[] = [];
  app.action("approve", async ({ ack, body, client }) => {
    await ack();
    if (body.type !== "block_actions") throw new Error("expected a press of a button");
    const { channel_id: channel = "", message_ts: ts = "" } = body.container as Record<string, string>;
    await client.chat.update({ channel, ts, text: "approved", blocks: [] });
    await client.chat.postEphemeral({ channel, user: body.user.id, text: "thank you" });
    seen.push(`approved by ${body.user.id}`);
  });
  app.action("deny", async ({ ack, body, client }) => {
    await ack();
    if (body.type !== "block_actions") throw new Error("expected a press of a button");
    const label = { type: "plain_text", text: "Reason" } as const;
    await client.views.open({
      trigger_id: body.trigger_id,
      view: {
        type: "modal",
        callback_id: "deny",
        title: { type: "plain_text", text: "Deny" },
        submit: { type: "plain_text", text: "Deny" },
        blocks: [
          { type: "input", block_id: "reason", label, element: { type: "plain_text_input", action_id: "text" } },
        ],
      },
    });
    seen.push("asked");
  });
  app.view("deny", async ({ ack, view }) => {
    const reason = view.state.values.reason?.text?.value ?? "";
    if (reason === "no") await ack({ response_action: "errors", errors: { reason: "say more" } });
    else await ack();
    seen.push(`denied: ${reason}`);
  });
  return seen;
}

async function useIt(app: App, seen: readonly string[]): Promise<void> {
  const { ts } = await app.client.chat.postMessage({ channel: CHANNEL, text: "Refund", blocks: BLOCKS });
  const [message] = slack.posted(CHANNEL);
  expect(message).toMatchObject({ ts, text: "Refund", blocks: [{ type: "section" }, { type: "actions" }] });
  expect(await slack.press("U0MIA", message!, "Deny")).toMatchObject({ status: 200 });
  await waitUntil(() => seen.includes("asked"));
  const [dialog] = slack.views;
  await slack.submit(dialog!, "no");
  expect(dialog).toMatchObject({ closed: false, errors: { reason: "say more" } });
  await slack.submit(dialog!, "too much");
  expect(dialog).toMatchObject({ closed: true });
  expect(await slack.press("U0MIA", message!, "Approve")).toMatchObject({ status: 200 });
  await waitUntil(() => seen.length === 4);
  expect(seen).toEqual(["asked", "denied: no", "denied: too much", "approved by U0MIA"]);
  expect(message).toMatchObject({ text: "approved", blocks: [], edits: 1 });
  expect(slack.told("U0MIA")).toMatchObject([{ text: "thank you" }]);
}

it("is used by the SDK over HTTP, which verifies its signatures", async () => {
  const receiver = new HTTPReceiver({ signingSecret: slack.signingSecret, logger });
  const app = new App({
    token: slack.botToken,
    receiver,
    logger,
    clientOptions: { slackApiUrl: slack.apiUrl, retryConfig: { retries: 0 } },
  });
  const seen = listen(app);
  const server = await receiver.start(0);
  stop = () => receiver.stop();
  const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}/slack/events`;
  slack.setRequestUrl(target);
  await useIt(app, seen);
  // A forged one reaches no listener.
  expect(
    await slack.post(target, "payload=%7B%7D", { "x-slack-signature": "v0=0", "x-slack-request-timestamp": "1" }),
  ).toMatchObject({ status: 401 });
});

it("is used by the SDK in Socket Mode, which acknowledges its envelopes and connects again when asked to", async () => {
  const clientOptions = { slackApiUrl: slack.apiUrl, retryConfig: { retries: 0 } };
  const receiver = new SocketModeReceiver({
    appToken: slack.appToken,
    logger,
    clientPingTimeout: 200,
    installerOptions: { clientOptions },
  });
  const app = new App({ token: slack.botToken, receiver, logger, clientOptions });
  const seen = listen(app);
  await app.start();
  stop = () => app.stop();
  await waitUntil(() => slack.connected.size === 1);
  await useIt(app, seen);
  const [first] = slack.connected;
  const closed = once(first!, "close");
  slack.refresh();
  await closed;
  await waitUntil(() => slack.connected.size === 1);
  const { ts } = await app.client.chat.postMessage({ channel: CHANNEL, text: "Again", blocks: BLOCKS });
  const again = slack.posted(CHANNEL).find((message) => message.ts === ts);
  expect(await slack.press("U0MIA", again!, "Approve")).toMatchObject({ status: 200 });
  await waitUntil(() => again?.text === "approved");
});

it("refuses what Slack refuses", async () => {
  const client = (token: string) =>
    new webApi.WebClient(token, {
      slackApiUrl: slack.apiUrl,
      retryConfig: { retries: 0 },
      rejectRateLimitedCalls: true,
      logger,
    });
  const bot = client(slack.botToken);
  const error = (work: Promise<unknown>) =>
    work.then(
      () => "accepted",
      (thrown: Error & { data?: { error?: string } }) => thrown.data?.error ?? thrown.message,
    );
  const post = (given: object) => error(bot.chat.postMessage({ channel: CHANNEL, text: "x", ...given }));
  const section = { type: "section", text: { type: "plain_text", text: "x".repeat(3_000) } };
  expect(await error(client("xoxb-other").auth.test())).toBe("invalid_auth");
  expect(await error(bot.apps.connections.open())).toBe("not_allowed_token_type");
  expect(await post({ channel: "C0OTHER" })).toBe("channel_not_found");
  expect(await post({ text: "" })).toBe("no_text");
  expect(await post({ blocks: [section] })).toBe("accepted");
  expect(await post({ blocks: [{ ...section, text: { type: "plain_text", text: "x".repeat(3_001) } }] })).toBe(
    "invalid_blocks",
  );
  expect(await post({ blocks: Array.from({ length: 51 }, () => ({ type: "divider" })) })).toBe("invalid_blocks");
  expect(await post({ blocks: Array.from({ length: 5 }, () => section) })).toBe("msg_blocks_too_long");
  expect(await error(bot.chat.update({ channel: CHANNEL, ts: "1.000001", text: "x" }))).toBe("message_not_found");
  expect(await error(bot.users.info({ user: "U0NOBODY" }))).toBe("user_not_found");
  expect(
    await error(
      bot.views.open({
        trigger_id: "1.1",
        view: { type: "modal", title: { type: "plain_text", text: "x" }, blocks: [] },
      }),
    ),
  ).toBe("invalid_trigger_id");
  slack.fail("auth.test", { kind: "RATE_LIMITED", retryAfter: 7 });
  expect(await error(bot.auth.test())).toContain("in 7 seconds");
  slack.setDown(true);
  expect(await error(bot.auth.test())).toContain("A request error occurred");
});
