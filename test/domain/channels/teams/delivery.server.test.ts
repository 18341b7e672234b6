import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DeliveryError } from "../../../../src/domain/channels/driver.ts";
import { cardText } from "../../../support/teams/cards.ts";
import { sendJson } from "../../../support/teams/http-server.ts";
import { startTeams, type Teams } from "../../../support/teams/teams.ts";
import { type Bot, botChannelOf, decidedBy, noticeOf, startBot } from "./bot.ts";

let teams: Teams;
let bot: Bot;
let now: number;

beforeAll(async () => {
  teams = await startTeams();
});
afterAll(() => teams?.close());
beforeEach(async () => {
  now = Date.now();
  bot = await startBot(teams, { now: () => now });
});
afterEach(async () => {
  teams.identity.answers.clear();
  teams.identity.tokenTtl = 3600;
  await bot.server.stop();
});

const tokenPath = () => `/${teams.tenantId}/oauth2/v2.0/token`;
/** How a delivery failed. */
async function failing(
  delivery: Promise<unknown>,
): Promise<Pick<DeliveryError, "message" | "retry" | "retryAfter" | "down">> {
  const error: unknown = await delivery.then(
    () => new Error("it was delivered"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DeliveryError)) throw error;
  const { message, retry, retryAfter, down } = error;
  for (const secret of [teams.appPassword, "s3cr3t-signature"]) expect(String(error.stack)).not.toContain(secret);
  return { message, retry, retryAfter, down };
}

describe("a message of a bot", () => {
  it("is posted with buttons, and replaced by what became of the action, without buttons", async () => {
    const sent = await bot.send();
    const post = teams.posts().at(-1);
    if (sent === undefined || post === undefined) throw new Error("nothing was posted");
    expect(sent).toBe(`${encodeURIComponent(teams.conversation)}/${post.id}`);
    expect(teams.shown(post).actions?.map(({ title }) => title)).toEqual(["Approve", "Deny", "Open in Countersign"]);
    await bot.update(sent, decidedBy(noticeOf(), { by: "p-carol", channel: "API" }));
    expect(post.versions).toHaveLength(2);
    expect(cardText(teams.shown(post))).toContain("Decided elsewhere: Approved");
    expect(cardText(teams.shown(post))).toContain("Approved: p-carol, by the API, 2030-01-01 00:00 UTC");
    expect(teams.shown(post).actions?.map(({ type }) => type)).toEqual(["Action.OpenUrl"]);
    expect(teams.shown(post).refresh).toBeUndefined();
  });

  it("is replaced where it was posted, whatever conversation the channel has now", async () => {
    const sent = (await bot.send()) as string;
    const post = teams.posts().at(-1);
    const { settings } = bot.channel;
    bot.channel = { ...bot.channel, settings: { ...settings, conversationId: "19:other@thread.tacv2" } };
    await bot.update(sent, decidedBy(noticeOf()));
    expect(post?.versions).toHaveLength(2);
  });

  it("uses one token until shortly before it ends, also when many are sent at once, and another one once it is refused", async () => {
    const before = teams.identity.asked.tokens;
    await Promise.all([1, 2, 3, 4].map(() => bot.send()));
    expect(teams.identity.asked.tokens).toBe(before + 1);
    now += 54 * 60_000;
    await bot.send();
    expect(teams.identity.asked.tokens).toBe(before + 1);
    now += 60_000;
    await Promise.all([1, 2, 3].map(() => bot.send()));
    expect(teams.identity.asked.tokens).toBe(before + 2);
    teams.identity.revoke();
    expect(await failing(bot.send())).toMatchObject({ retry: true });
    await bot.send();
    expect(teams.identity.asked.tokens).toBe(before + 3);
  });

  it("is tried again when the service is down, slow or overloaded, or ends the connection after it accepted", async () => {
    const { plans, server } = teams.connector;
    const posted = () => teams.posts().length;
    await bot.send();
    plans.push({ status: 429, retryAfter: "7" });
    expect(await failing(bot.send())).toMatchObject({ retry: true, retryAfter: 7_000 });
    plans.push({ status: 429, retryAfter: new Date(now + 60_000).toUTCString() });
    const { retryAfter } = await failing(bot.send());
    expect(retryAfter).toBeGreaterThan(58_000);
    expect(retryAfter).toBeLessThanOrEqual(60_000);
    for (const header of ["soon", "99999999999", "-1"]) {
      plans.push({ status: 429, retryAfter: header });
      expect(await failing(bot.send())).toMatchObject({ retry: true, retryAfter: undefined });
    }
    plans.push({ status: 503, retryAfter: "999999" }, { status: 502 }, { status: 500 });
    expect(await failing(bot.send())).toMatchObject({ retry: true, retryAfter: 3_600_000, down: true });
    expect(await failing(bot.send())).toMatchObject({ retry: true, down: true });
    // It may be what this message has that the service fails at, and others are not held up by it.
    expect(await failing(bot.send())).toMatchObject({ retry: true, down: false });
    const before = posted();
    plans.push("drop");
    expect(await failing(bot.send())).toMatchObject({ retry: true });
    expect(posted()).toBe(before + 1);
    plans.push("hold");
    const given = AbortSignal.timeout(300);
    expect(await failing(bot.driver.send(bot.channel, noticeOf(), given))).toMatchObject({ retry: true });
    teams.connector.release();
    await server.stop();
    expect(await failing(bot.send())).toMatchObject({ retry: true });
    await server.start();
    await bot.send();
  });

  it("waits where any message would: the bot is not there, the secret is wrong; one that was deleted is given up", async () => {
    teams.connector.plans.push({ status: 403, code: "BotNotInConversationRoster" }, { status: 413 });
    expect(await failing(bot.send())).toMatchObject({ retry: true, down: true });
    expect(await failing(bot.send())).toMatchObject({ retry: false });
    const gone = `${encodeURIComponent(teams.conversation)}/17`;
    expect(await failing(bot.update(gone, noticeOf()))).toMatchObject({ retry: false });
    const other = { ...bot.channel.settings, conversationId: "19:other@thread.tacv2" };
    expect(
      await failing(bot.driver.send({ ...bot.channel, settings: other }, noticeOf(), AbortSignal.timeout(9_000))),
    ).toMatchObject({
      retry: true,
      down: true,
    });
    const before = `${encodeURIComponent("19:before@thread.tacv2")}/17`;
    teams.connector.plans.push({ status: 403 });
    expect(await failing(bot.update(before, noticeOf()))).toMatchObject({ retry: false });
    teams.connector.plans.push({ status: 403 });
    expect(await failing(bot.update(gone, noticeOf()))).toMatchObject({ retry: true, down: true });
    bot.channel = botChannelOf(teams, { secrets: { appPassword: "wrong" }, configuredAt: 2n });
    expect(await failing(bot.send())).toEqual({
      message: "Microsoft gives the bot no token (invalid_client): check the app id, the tenant and the secret",
      retry: true,
      retryAfter: undefined,
      down: true,
    });
    bot.channel = botChannelOf(teams, { configuredAt: 3n });
    await bot.send();
  });

  it("is tried again when the token service fails or responds with nonsense", async () => {
    const { answers } = teams.identity;
    answers.set(tokenPath(), (_, response) =>
      sendJson(response, 503, { error: "temporarily_unavailable" }, { "retry-after": "5" }),
    );
    expect(await failing(bot.send())).toMatchObject({ retry: true, retryAfter: 5_000, down: true });
    const nonsense = [
      {},
      { access_token: "a b", token_type: "Bearer", expires_in: 60 },
      { access_token: "a", token_type: "mac", expires_in: 60 },
    ];
    for (const given of nonsense) {
      answers.set(tokenPath(), (_, response) => sendJson(response, 200, given));
      expect(await failing(bot.send())).toMatchObject({ retry: true, down: true });
    }
    answers.set(tokenPath(), (_, response) => void response.writeHead(200).end("<html>"));
    expect(await failing(bot.send())).toMatchObject({ retry: true });
    answers.clear();
    await bot.send();
  });

  it("and its token are sent to no service that the operator does not permit", async () => {
    const asked = teams.identity.asked.tokens;
    for (const serviceUrl of [
      "https://smba.example/teams",
      "http://127.0.0.1.nip.example/teams",
      "https://127.0.0.1@smba.example/",
    ]) {
      const settings = { ...bot.channel.settings, serviceUrl };
      const channel = { ...bot.channel, settings };
      expect(bot.driver.problem?.(channel)).toContain("TEAMS_SERVICE_HOSTS");
      expect(await failing(bot.driver.send(channel, noticeOf(), AbortSignal.timeout(9_000)))).toMatchObject({
        down: true,
      });
    }
    expect(teams.identity.asked.tokens).toBe(asked);
  });

  it("counts as sent when the service accepts it and names nothing by which it could be replaced", async () => {
    const before = teams.posts().length;
    teams.connector.plans.push({ status: 201 });
    expect(await bot.send()).toBeUndefined();
    expect(teams.posts()).toHaveLength(before);
  });
});

describe("a message of a workflow", () => {
  beforeEach(() => {
    const { workflowUrl } = teams.connector;
    bot.channel = botChannelOf(teams, { settings: { mode: "WORKFLOW" }, secrets: { workflowUrl } });
  });

  it("is posted with a link and nothing to decide by, and cannot be replaced", async () => {
    expect(await bot.send()).toBeUndefined();
    const card = teams.connector.workflowCards.at(-1);
    expect(card?.actions).toEqual([{ type: "Action.OpenUrl", title: "Open in Countersign", url: noticeOf().link }]);
    expect(card?.refresh).toBeUndefined();
    expect(card && cardText(card)).toContain("Tool: refund");
    expect(card?.body.some(({ type }) => type === "Input.Text")).toBe(false);
  });

  it("is tried again or given up, and no error has the address, which is a secret", async () => {
    const { plans, server, workflowUrl } = teams.connector;
    plans.push({ status: 429, retryAfter: "3" }, { status: 500 }, { status: 404 }, "drop");
    expect(await failing(bot.send())).toMatchObject({ retry: true, retryAfter: 3_000 });
    expect(await failing(bot.send())).toMatchObject({ retry: true });
    expect(await failing(bot.send())).toMatchObject({ retry: true, down: true });
    expect(await failing(bot.send())).toMatchObject({ retry: true });
    await server.stop();
    const { message, retry } = await failing(bot.send());
    expect({ message, retry }).toEqual({ message: "the workflow cannot be reached", retry: true });
    await server.start();
    bot.channel = { ...bot.channel, secrets: { workflowUrl: workflowUrl.replace("s3cr3t", "other") } };
    // Tried again as what a token that was taken back is, until the outbox gives up.
    expect(await failing(bot.send())).toMatchObject({ retry: true });
    bot.channel = { ...bot.channel, secrets: {} };
    expect(await failing(bot.send())).toMatchObject({ down: true });
    // What a bot posted before the channel was one of a workflow.
    expect(await failing(bot.update("a/b", noticeOf()))).toMatchObject({ retry: false });
    expect(JSON.stringify(bot.logged)).not.toContain("s3cr3t");
  });
});
