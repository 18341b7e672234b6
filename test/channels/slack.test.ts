import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { putInForce } from "../graphql/policy-documents.ts";
import { act, propose } from "../graphql/steps.ts";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { textsOf } from "../support/slack/blocks.ts";
import { type FakeSlack, startFakeSlack } from "../support/slack/fake-slack.ts";
import { buttonsOf, signed } from "../support/slack/interactions.ts";
import type { SlackMessage } from "../support/slack/workspace.ts";
import { waitUntil } from "../support/wait.ts";
import { configure, noticesOf } from "./steps.ts";

/** From the button to what was executed, with a Slack that speaks the real protocols. */

const HOME = "C0OPS";

/** The app of the README's guide. */
const manifest = z
  .object({
    oauth_config: z.object({ scopes: z.object({ bot: z.array(z.string()) }) }),
    settings: z.object({ interactivity: z.object({ request_url: z.url() }) }),
  })
  .parse(
    JSON.parse(
      /^```json\n(\{\n {2}"display_information"[\s\S]*?)^```$/m.exec(
        readFileSync(path.resolve(import.meta.dirname, "../../README.md"), "utf8"),
      )?.[1] ?? "",
    ),
  );
const requestPath = new URL(manifest.settings.interactivity.request_url).pathname;

/** A policy by which one channel is shown arguments, but of tools that handle payments. */
const showingArguments = (channel: string) => `
policy: 1
catalog:
  platforms:
    reservations: { region: eu }
  tools:
    - { platform: reservations, name: book_reservation, effect: WRITE }
    - { platform: reservations, name: change_card, effect: WRITE, data: [payment] }
channels:
  - { name: ${channel}, arguments: true, except: [payment] }
rules:
  - { id: writes, when: 'tool.effect == "WRITE"', require: [{ group: approvers, needed: 1 }], reason: Writes need one. }
cases:
  - { name: a write, given: { platform: reservations, tool: change_card }, expect: { outcome: REQUIRE, rules: [writes] } }
`;

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database?.drop());

describe.each(["HTTP", "SOCKET"] as const)("Slack by %s", (mode) => {
  let slack: FakeSlack;
  let api: Api;
  const name = mode === "HTTP" ? (requestPath.split("/").at(-1) ?? "") : "by-socket";
  // Accounts of each mode's own: a link lasts.
  const [APPROVER, SECOND, MEMBER] = [`U1${mode}`, `U2${mode}`, `U3${mode}`] as const;

  const settings = (more: object = {}) => ({
    mode,
    teamId: slack.teamId,
    appId: slack.appId,
    channelId: HOME,
    botToken: slack.botToken,
    ...(mode === "HTTP" ? { signingSecret: slack.signingSecret } : { appToken: slack.appToken }),
    ...more,
  });

  beforeAll(async () => {
    slack = await startFakeSlack({ scopes: manifest.oauth_config.scopes.bot });
    slack.channels.add(HOME);
    api = await startApi(database.appUrl, { channels: { interval: 0.1 }, slackApiUrl: slack.apiUrl });
    expect(await configure(api, { name, slack: settings() })).toMatchObject({ userErrors: [] });
    const { data } = await api.gql<{ channels: readonly { name: string; path: string }[] }>(
      "{channels{name path}}",
      {},
      { as: "auditor" },
    );
    const found = data.channels.find((one) => one.name === name);
    if (mode === "HTTP") {
      expect(found?.path).toBe(requestPath);
      slack.setRequestUrl(`${new URL(api.url).origin}${requestPath}`);
    }
    if (mode === "SOCKET") await waitUntil(() => slack.connected.size === 1);
    await link(APPROVER, "approver");
    await link(SECOND, "approver2");
    await link(MEMBER, "member");
  });
  afterAll(async () => {
    await act(api, "removeChannel", { name }, "admin", "userErrors{code}");
    await api?.close();
    await slack?.close();
  });

  const saying = ({ blocks }: SlackMessage) => textsOf(blocks).join("\n");
  const labels = ({ blocks }: SlackMessage) => buttonsOf(blocks).map(({ text }) => text.text);

  /** The messages about an action. */
  const about = ({ digest }: { readonly digest: string }) =>
    slack.posted(HOME).filter((one) => one.text.includes(digest.slice("sha256:".length, "sha256:".length + 8)));

  /** A proposal of the agent, with the message that tells of it. */
  async function asked(as: DemoName = "agent") {
    const { action } = await propose(api, { arguments: { user_id: "a secret person" } }, as);
    await waitUntil(() => about(action).length === 1);
    return { action, message: about(action)[0]! };
  }

  async function told(user: string): Promise<string> {
    const before = slack.told(user).length;
    await waitUntil(() => slack.told(user).length > before);
    return saying(slack.told(user).at(-1)!);
  }

  async function statusOf(id: string): Promise<unknown> {
    const query = "query($id:ID!){action(id:$id){status decisions{verdict note channel approver{id}}}}";
    const { data } = await api.gql<{ action: object }>(query, { id }, { as: "auditor" });
    return data.action;
  }

  /** Links an account as a person does: presses, is told how, and enters the code that was made while signed in. */
  async function link(user: string, as: DemoName): Promise<void> {
    slack.addUser(user);
    const { message } = await asked();
    const [invited] = await Promise.all([told(user), slack.press(user, message, "Approve")]);
    expect(invited).toContain("not linked to a person");
    await slack.press(user, slack.told(user).at(-1)!, "Link account…");
    await waitUntil(() => slack.views.some((view) => view.user === user));
    const dialog = slack.views.find((view) => view.user === user)!;
    const { code } = await act<{ code: string }>(
      api,
      "startAccountLink",
      { channel: name },
      as,
      "code userErrors{code}",
    );
    await slack.submit(dialog, "a guess");
    expect(dialog.errors?.input).toContain("not valid");
    await slack.submit(dialog, code);
    expect(textsOf(dialog.view.blocks).join()).toContain("is linked to");
  }

  it("leads from the button to the grant and to what was executed", async () => {
    const { action, message } = await asked();
    expect(saying(message)).not.toContain("a secret person");
    const waiting = api.gql<{ waitForDecision: { status: string } }>(
      "query($id:ID!){waitForDecision(id:$id,seconds:20){status}}",
      { id: action.id },
      { as: "agent" },
    );
    expect(await slack.press(APPROVER, message, "Approve")).toMatchObject({ status: 200, body: "" });
    expect(await statusOf(action.id)).toMatchObject({
      status: "APPROVED",
      decisions: [{ verdict: "APPROVE", note: null, channel: "SLACK" }],
    });
    expect((await waiting).data).toEqual({ waitForDecision: { status: "APPROVED" } });
    await waitUntil(() => labels(message).join() === "Open");
    expect(saying(message)).toMatch(/Approved by .*, in Slack, /);
    const { grant } = await act<{ grant: { token: string } }>(
      api,
      "claimGrant",
      { actionId: action.id },
      "agent",
      "grant{token} userErrors{code}",
    );
    await act(api, "redeemGrant", { token: grant.token, digest: action.digest }, "agent");
    await act(api, "completeAction", { actionId: action.id, outcome: "SUCCEEDED", result: {} }, "agent");
    await waitUntil(() => saying(message).includes("Approved and executed"));
    expect(await noticesOf(api, action.id)).toMatchObject([{ channel: "SLACK", name, status: "SENT" }]);
  });

  it("records the note of an approval, and the reason of a denial, and that they were opened", async () => {
    for (const [button, text, verdict] of [
      ["Approve with note…", "checked the booking", "APPROVE"],
      ["Deny…", "too much", "DENY"],
    ] as const) {
      const { action, message } = await asked();
      const before = slack.views.length;
      await slack.press(APPROVER, message, button);
      await waitUntil(() => slack.views.length > before);
      await slack.submit(slack.views.at(-1)!, text);
      expect(slack.views.at(-1)).toMatchObject({ closed: true });
      expect(await statusOf(action.id)).toMatchObject({ decisions: [{ verdict, note: text, channel: "SLACK" }] });
      await waitUntil(async () => (await noticesOf(api, action.id))[0]?.firstOpenedAt !== null);
    }
  });

  it("says that it was decided elsewhere when the API decides first, and decides nothing then", async () => {
    const { action, message } = await asked();
    await act(api, "denyAction", { actionId: action.id, digest: action.digest, note: "No." }, "approver2");
    await waitUntil(() => labels(message).join() === "Open");
    expect(saying(message)).toMatch(/Denied by .*, decided elsewhere \(the API\), /);
    expect(saying(message)).not.toContain("No.");
    const [first] = slack.calls.filter(({ method }) => method === "chat.postMessage").slice(-1);
    // As somebody whose Slack shows the buttons still.
    const old = { ...message, blocks: first?.given.blocks as SlackMessage["blocks"] };
    const [reason] = await Promise.all([told(APPROVER), slack.press(APPROVER, old, "Approve")]);
    expect(reason).toMatch(/^Nothing was decided: /);
    expect(await statusOf(action.id)).toMatchObject({ status: "DENIED", decisions: [{ channel: "API" }] });
  });

  it("decides once, however often and by whomever a button is pressed at once", async () => {
    const { action, message } = await asked();
    const pressed = slack.pressed(APPROVER, message, "Approve");
    const other = slack.pressed(SECOND, message, "Approve");
    await Promise.all([pressed, other, pressed, slack.pressed(APPROVER, message, "Approve")].map(slack.deliver));
    await slack.deliver(pressed);
    const { decisions } = (await statusOf(action.id)) as { decisions: readonly unknown[] };
    expect(decisions).toHaveLength(1);
  });

  it("refuses whoever the action was asked for, and whoever was suspended", async () => {
    const { action, message } = await asked();
    await slack.press(MEMBER, message, "Deny…");
    const [reason] = await Promise.all([told(MEMBER), slack.press(MEMBER, message, "Approve")]);
    expect(reason).toBe(
      "Nothing was decided: the requester of an action, and the person they act for, cannot decide it",
    );
    const suspend = (mutation: string, more: object) =>
      act<object>(api, mutation, { principalId: "approver2", ...more }, "admin", "userErrors{code message}");
    expect(await suspend("suspendPrincipal", { reason: "on leave" })).toEqual({ userErrors: [] });
    const [refused] = await Promise.all([told(SECOND), slack.press(SECOND, message, "Approve")]);
    expect(refused).toMatch(/^Nothing was decided: /);
    expect(await statusOf(action.id)).toEqual({ status: "PENDING", decisions: [] });
    expect((await noticesOf(api, action.id))[0]?.firstOpenedAt).toBeNull();
    expect(await suspend("reinstatePrincipal", { reason: "back" })).toEqual({ userErrors: [] });
  });

  it("refuses guests, people and requests of other workspaces, and what is forged, early or late", async () => {
    const { action, message } = await asked();
    slack.addUser(`U4${mode}`, { is_restricted: true });
    const [reason] = await Promise.all([told(`U4${mode}`), slack.press(`U4${mode}`, message, "Approve")]);
    expect(reason).toContain("only full members of this workspace");
    const pressed = slack.pressed(APPROVER, message, "Approve");
    const status = mode === "HTTP" ? 403 : 200;
    expect(await slack.deliver({ ...pressed, team: { id: "T0OTHER" } })).toMatchObject({ status });
    expect(await slack.deliver({ ...pressed, api_app_id: "A0OTHER" })).toMatchObject({ status });
    const { origin } = new URL(api.url);
    const now = Math.floor(Date.now() / 1_000);
    for (const [secret, at] of [
      ["0".repeat(32), now],
      [slack.signingSecret, now - 320],
      [slack.signingSecret, now + 320],
    ] as const) {
      const { body, headers } = signed(pressed, secret, at);
      // One that is connected to takes no requests at all.
      const refused = mode === "HTTP" ? 401 : 404;
      expect(await slack.post(`${origin}/channels/slack/acme/${name}`, body, headers)).toMatchObject({
        status: refused,
      });
    }
    const { body, headers } = signed(pressed, slack.signingSecret, now);
    for (const other of [`globex/${name}`, "acme/other"]) {
      expect(await slack.post(`${origin}/channels/slack/${other}`, body, headers)).toMatchObject({ status: 404 });
    }
    expect(await statusOf(action.id)).toEqual({ status: "PENDING", decisions: [] });
  });

  it("decides nothing after the deadline", async () => {
    const soon = await startApi(database.appUrl, { approvalTtl: 1 });
    try {
      const { action } = await propose(soon);
      await waitUntil(() => about(action).length === 1);
      await waitUntil(() => Date.now() > Date.parse(action.expiresAt ?? ""));
      const [reason] = await Promise.all([told(APPROVER), slack.press(APPROVER, about(action)[0]!, "Approve")]);
      expect(reason).toContain("the deadline to decide has passed");
      await soon.services.actions.settleDue(10);
      expect(await statusOf(action.id)).toEqual({ status: "EXPIRED", decisions: [] });
      await waitUntil(() => labels(about(action)[0]!).join() === "Open");
      expect(saying(about(action)[0]!)).toContain("Expired: nobody decided in time");
    } finally {
      await soon.close();
    }
  });

  it("sends what waits once Slack is back, and finds again what it accepted without saying so", async () => {
    slack.setDown(true);
    const { action } = await propose(api);
    await waitUntil(async () => {
      const query = "{channels{name queue{failures}}}";
      const { data } = await api.gql<{ channels: readonly { name: string; queue: { failures: number } }[] }>(
        query,
        {},
        { as: "auditor" },
      );
      return data.channels.some((one) => one.name === name && one.queue.failures > 0);
    });
    slack.fail("chat.postMessage", { kind: "DROPPED_AFTER" });
    slack.setDown(false);
    await waitUntil(async () => (await noticesOf(api, action.id))[0]?.status === "SENT");
    expect(about(action)).toHaveLength(1);
    if (mode === "SOCKET") await waitUntil(() => slack.connected.size > 0);
    const [message] = about(action);
    await slack.press(APPROVER, message!, "Approve");
    await waitUntil(() => labels(message!).join() === "Open");
    expect(await statusOf(action.id)).toMatchObject({ status: "APPROVED", decisions: [{ verdict: "APPROVE" }] });
  });

  it("shows what would run where the policy lets the channel have it, and not to phones", async () => {
    await putInForce(api, showingArguments(name));
    const noticeOf = async (tool: string, person: string) => {
      const { action } = await propose(api, { tool, arguments: { name: `${person} <!channel> *x*` } });
      await waitUntil(() => about(action).length === 1);
      return about(action)[0]!;
    };
    const shown = await noticeOf("book_reservation", "Ada");
    expect(saying(shown)).toContain("Ada &lt;!channel&gt; *x*");
    expect(JSON.stringify(shown.blocks)).not.toContain("mrkdwn");
    expect(shown.text).not.toContain("Ada");
    expect(saying(await noticeOf("change_card", "Bob"))).not.toContain("Bob");
  });

  it("is not configured with what Slack does not have, or without what its mode needs", async () => {
    for (const [more, path] of [
      [{ teamId: "acme" }, ["slack", "teamId"]],
      [{ channelId: "#ops" }, ["slack", "channelId"]],
      [{ botToken: "xoxp-1" }, ["slack", "botToken"]],
      [{ signingSecret: null, appToken: null }, ["slack"]],
    ] as const) {
      expect(await configure(api, { name: "bad", slack: settings(more) })).toMatchObject({
        channel: null,
        userErrors: [{ code: "INVALID_INPUT", path: ["input", ...path] }],
      });
    }
  });
});
