import { createHmac, randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Post } from "../../../support/teams/connector.ts";
import { sendJson } from "../../../support/teams/http-server.ts";
import { createSigningKey, type SigningKey } from "../../../support/teams/identity.ts";
import { type Dishonest, startTeams, type Teams } from "../../../support/teams/teams.ts";
import { type Bot, startBot } from "./bot.ts";

const KEYS = "/v1/.well-known/keys";
const OPENID = "/v1/.well-known/openidconfiguration";
const HOUR = 3_600_000;

let teams: Teams;
let bot: Bot;
let post: Post;
let now: number;

beforeAll(async () => {
  teams = await startTeams();
});
afterAll(() => teams?.close());
beforeEach(async () => {
  now = Date.now();
  bot = await startBot(teams, { now: () => now });
  bot.door.links.set(teams.alice.aadObjectId, "p-alice");
  await bot.send();
  post = teams.posts().at(-1) as Post;
});
afterEach(async () => {
  teams.identity.answers.clear();
  await bot.server.stop();
});

const approve = (dishonest?: Dishonest) => teams.press(teams.alice, post, "Approve", {}, {}, dishonest);
const encode = (value: object | string) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** Claims of an honest token. */
const claims = () => {
  const at = Math.floor(now / 1000);
  const { appId: aud, connector } = teams;
  return { serviceurl: connector.serviceUrl, nbf: at - 60, exp: at + 600, iss: "https://api.botframework.com", aud };
};

/** A token signed by hand with HMAC, or not at all. */
function unusual(alg: string, secret?: string): string {
  const { kid } = teams.identity.keys[0] as SigningKey;
  const signed = `${encode({ alg, typ: "JWT", kid })}.${encode(claims())}`;
  return `Bearer ${signed}.${secret === undefined ? "" : createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

describe("a request to the bot", () => {
  it("is served when Teams signed it, whatever case and slash its service has", async () => {
    const upper = { claims: { serviceurl: teams.connector.serviceUrl.toUpperCase() } };
    expect(await approve(upper)).toMatchObject({ status: 200, card: { type: "AdaptiveCard" } });
    expect(bot.door.asked).toHaveLength(1);
  });

  it("is refused when its token is forged, old, early, for another bot, of another issuer or service, or none at all", async () => {
    const at = Math.floor(now / 1000);
    const [honest] = teams.identity.keys as [SigningKey];
    const forged = await createSigningKey(honest.kid);
    const refused: readonly Dishonest[] = [
      { key: forged },
      { key: await createSigningKey("unknown") },
      { claims: { exp: at - 301 } },
      { claims: { exp: undefined } },
      { claims: { nbf: at + 301 } },
      { claims: { aud: randomUUID() } },
      { claims: { aud: undefined } },
      { claims: { iss: "https://sts.windows.net/" } },
      { claims: { iss: undefined } },
      { claims: { serviceurl: "https://smba.example/teams" } },
      { claims: { serviceurl: undefined } },
      { claims: { serviceurl: { toString: 1 } } },
      { authorization: undefined },
      { authorization: "Bearer" },
      { authorization: "Bearer a.b.c" },
      { authorization: "Basic YTpi" },
      { authorization: unusual("none") },
      { authorization: unusual("HS256", honest.pem) },
      { authorization: unusual("HS256", String(honest.jwk.n)) },
      // The service of the token and of the body agree, but it is none of Teams: other channels let people choose who they are.
      { claims: { serviceurl: "https://directline.example" }, activity: { serviceUrl: "https://directline.example" } },
      { activity: { serviceUrl: "https://directline.example" } },
      { activity: { channelId: "directline" } },
    ];
    for (const dishonest of refused) {
      expect(await approve(dishonest), JSON.stringify(dishonest)).toEqual({
        status: 401,
        body: undefined,
        card: undefined,
      });
    }
    expect(bot.door.asked).toEqual([]);
    expect(bot.logged.filter((line) => line.includes("is not one of Teams"))).toHaveLength(refused.length);
  });

  it("is refused when the key that signed it is for other channels of the Bot Framework", async () => {
    const directline = await createSigningKey("directline", ["directline", "webchat"]);
    const silent = await createSigningKey("silent", undefined);
    teams.identity.keys.push(directline, silent);
    expect(await approve({ key: directline })).toMatchObject({ status: 401 });
    expect(await approve({ key: silent })).toMatchObject({ status: 200 });
  });

  it("is refused when it is of another tenant, in either place that names one", async () => {
    const tenant = randomUUID();
    const stranger = { ...teams.alice, tenantId: tenant };
    expect(await teams.press(stranger, post, "Approve")).toMatchObject({ status: 403 });
    expect(await approve({ activity: { channelData: { tenant: { id: tenant } } } })).toMatchObject({ status: 403 });
    const conversation = { id: teams.conversation, tenantId: tenant };
    expect(await approve({ activity: { conversation } })).toMatchObject({ status: 403 });
    expect(await approve({ activity: { conversation: { id: teams.conversation }, channelData: {} } })).toMatchObject({
      status: 403,
    });
    expect(bot.door.asked).toEqual([]);
  });

  it("is refused when it is not what a client of Teams sends", async () => {
    expect(await approve({ activity: { from: "alice" } })).toMatchObject({ status: 400 });
    expect(await approve({ activity: { type: "invoke", name: "composeExtension/query" } })).toMatchObject({
      status: 501,
    });
    for (const value of [
      undefined,
      { action: {} },
      { action: { verb: "execute", data: {} } },
      { action: { verb: "approve", data: { actionId: "1" } } },
    ]) {
      expect(await approve({ activity: { value } })).toMatchObject({ status: 200, body: { statusCode: 400 } });
    }
    const { botUrl } = teams;
    teams.botUrl = `${botUrl}/other`;
    expect(await approve()).toMatchObject({ status: 404 });
    teams.botUrl = botUrl;
    expect((await fetch(botUrl)).status).toBe(405);
    bot.channel = {
      ...bot.channel,
      settings: { mode: "WORKFLOW" },
      secrets: { workflowUrl: teams.connector.workflowUrl },
    };
    expect(await approve()).toMatchObject({ status: 404 });
    expect(bot.door.asked).toEqual([]);
  });

  it("is acknowledged when the bot joins a conversation", async () => {
    expect(await teams.join()).toMatchObject({ status: 200, body: undefined });
    expect(await teams.join({ authorization: undefined })).toMatchObject({ status: 401 });
  });
});

describe("the keys of the Bot Framework", () => {
  it("are fetched once, however many requests come at first", async () => {
    const { asked } = teams.identity;
    const before = { ...asked };
    const answers = await Promise.all(Array.from({ length: 10 }, () => approve()));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(asked).toMatchObject({ openId: before.openId + 1, keys: before.keys + 1 });
  });

  it("are fetched for an unknown one, and not at every invented one", async () => {
    await approve();
    const added = await createSigningKey("added");
    const { asked } = teams.identity;
    teams.identity.keys.push(added);
    now += 15_000;
    expect(await approve({ key: added })).toMatchObject({ status: 200 });
    const before = asked.keys;
    for (let at = 0; at < 5; at++) {
      expect(await approve({ key: await createSigningKey(`invented-${at}`) })).toMatchObject({ status: 401 });
    }
    expect(asked.keys).toBe(before);
  });

  it("that were withdrawn are refused after half a day", async () => {
    const [first, ...others] = teams.identity.keys as [SigningKey];
    await approve();
    teams.identity.keys = others.length > 0 ? others : [await createSigningKey("next")];
    now += 12 * HOUR;
    expect(await approve({ key: first, claims: claims() })).toMatchObject({ status: 401 });
    teams.identity.keys = [first, ...others];
  });

  it("are used for a day while they cannot be fetched, and then nothing is accepted", async () => {
    const fails = { claims: claims() };
    await approve(fails);
    teams.identity.answers.set(OPENID, (_, response) => sendJson(response, 500, {}));
    now += 23 * HOUR;
    expect(await approve({ claims: claims() })).toMatchObject({ status: 200 });
    now += 2 * HOUR;
    expect(await approve({ claims: claims() })).toMatchObject({ status: 503 });
    teams.identity.answers.clear();
    now += 15_000;
    expect(await approve({ claims: claims() })).toMatchObject({ status: 200 });
  });

  it("are not taken from a document of another issuer, nor from an address that is not secure", async () => {
    for (const document of [
      { issuer: "https://issuer.example", jwks_uri: teams.identity.server.url + KEYS },
      { issuer: "https://api.botframework.com", jwks_uri: "http://keys.example/keys" },
      { issuer: "https://api.botframework.com" },
    ]) {
      teams.identity.answers.set(OPENID, (_, response) => sendJson(response, 200, document));
      expect(await approve()).toMatchObject({ status: 503 });
      now += 15_000;
    }
    teams.identity.answers.clear();
    const [honest] = teams.identity.keys as [SigningKey];
    const odd = [{ kty: "EC", kid: honest.kid }, { ...honest.jwk, kid: "broken", n: "!" }, null, honest.jwk];
    teams.identity.answers.set(KEYS, (_, response) => sendJson(response, 200, { keys: odd }));
    expect(await approve()).toMatchObject({ status: 200 });
  });
});
