import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { App, ExpressAdapter } from "@microsoft/teams.apps";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSigningKey, TOKEN_ISSUER } from "../support/teams/identity.ts";
import { startTeams, type Teams } from "../support/teams/teams.ts";

let teams: Teams;
let app: App;
const server = createServer();
const received: string[] = [];
const silent = { error() {}, warn() {}, info() {}, debug() {}, trace() {}, log() {}, child: () => silent };

beforeAll(async () => {
  teams = await startTeams();
  const { appId, appPassword, tenantId, identity, connector } = teams;
  app = new App({
    clientId: appId,
    tenantId,
    // The client of the identity platform that the SDK has accepts https alone.
    token: async (scope, tenant) => {
      const form = {
        grant_type: "client_credentials",
        client_id: appId,
        client_secret: appPassword,
        scope: String(scope),
      };
      const response = await fetch(`${identity.loginUrl}/${tenant}/oauth2/v2.0/token`, {
        method: "POST",
        body: new URLSearchParams(form),
      });
      return ((await response.json()) as { access_token: string }).access_token;
    },
    cloud: {
      loginEndpoint: identity.loginUrl,
      loginTenant: tenantId,
      botScope: `${TOKEN_ISSUER}/.default`,
      tokenServiceUrl: identity.loginUrl,
      openIdMetadataUrl: identity.openIdUrl,
      tokenIssuer: TOKEN_ISSUER,
      graphScope: "https://graph.microsoft.com/.default",
      agenticIdentityBotScope: "https://botapi.skype.com/.default",
    },
    serviceUrl: connector.serviceUrl,
    httpServerAdapter: new ExpressAdapter(server, { logger: silent }),
    logger: silent,
  });
  app.on("message", async ({ activity, send }) => {
    received.push(activity.text);
    await send(`you said ${activity.text}`);
  });
  app.on("conversationUpdate", async () => void received.push("conversationUpdate"));
  app.on("card.action", async ({ activity }) => {
    const { verb, data } = activity.value.action;
    received.push(`${activity.from.aadObjectId} ${verb} ${JSON.stringify(data)}`);
    return {
      statusCode: 200,
      type: "application/vnd.microsoft.card.adaptive",
      value: { type: "AdaptiveCard", version: "1.5", body: [{ type: "TextBlock", text: "done" }] },
    };
  });
  await app.initialize();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  teams.botUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/messages`;
});
afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await teams?.close();
});

describe("the Teams of tests, with the official SDK as its client", () => {
  it("delivers messages that the SDK accepts, and takes its reply", async () => {
    expect(await teams.say(teams.alice, "hello")).toMatchObject({ status: 200 });
    expect(received).toContain("hello");
    const [reply] = teams.posts(`a:${teams.alice.id}`);
    expect(reply?.versions[0]).toMatchObject({ type: "message", text: "you said hello" });
    expect(teams.connector.requests).toContain(`POST /v3/conversations/${reply?.conversation}/activities`);
    expect(await teams.join()).toMatchObject({ status: 200 });
    expect(received).toContain("conversationUpdate");
  });

  it("shows a card that the SDK posts, delivers what is pressed in it, and shows the card that the SDK answers with", async () => {
    const action = { type: "Action.Execute", title: "Approve", verb: "approve", data: { id: "a-1" } } as const;
    const card = {
      type: "AdaptiveCard",
      version: "1.5",
      body: [{ type: "Input.Text", id: "note" }],
      actions: [action],
    } as const;
    const attachment = { contentType: "application/vnd.microsoft.card.adaptive", content: card } as const;
    const sent = await app.send(teams.conversation, { type: "message", attachments: [attachment] });
    const post = teams.posts().find(({ id }) => id === sent.id);
    if (post === undefined) throw new Error("nothing was posted");
    const answer = await teams.press(teams.alice, post, "Approve", { note: "fine" });
    expect(received).toContain(`${teams.alice.aadObjectId} approve {"id":"a-1","note":"fine"}`);
    expect(answer.card?.body).toEqual([{ type: "TextBlock", text: "done" }]);
    await app.send(teams.conversation, {
      type: "message",
      id: sent.id,
      attachments: [{ ...attachment, content: { ...card, actions: [] } }],
    });
    expect(teams.shown(post).actions).toEqual([]);
  });

  it("refuses cards that Microsoft's own reader does not know, and messages that are too large", async () => {
    const posted = teams.posts().length;
    const send = (body: readonly object[]) => {
      const content = { type: "AdaptiveCard", version: "1.5", body } as never;
      const attachment = { contentType: "application/vnd.microsoft.card.adaptive", content } as const;
      return app.send(teams.conversation, { type: "message", attachments: [attachment] });
    };
    await expect(send([{ type: "TextBlocks", text: "a" }])).rejects.toThrow("400");
    await expect(send([{ type: "TextBlock", text: "a", weight: "Heavy" }])).rejects.toThrow("400");
    await expect(send([{ type: "TextBlock", text: "a".repeat(20_000) }])).rejects.toThrow("413");
    expect(teams.posts()).toHaveLength(posted);
  });

  it("makes forged requests that the SDK refuses, too", async () => {
    const now = Math.floor(Date.now() / 1000);
    const forged = await createSigningKey("bot-framework-1");
    const refused = [
      { key: forged },
      { claims: { exp: now - 3600 } },
      { claims: { nbf: now + 3600 } },
      { claims: { aud: "another-app" } },
      { claims: { iss: "https://issuer.example" } },
      { claims: { serviceurl: "https://service.example/" } },
      { authorization: undefined },
    ];
    for (const dishonest of refused) {
      expect(await teams.say(teams.bob, "forged", {}, dishonest)).toMatchObject({ status: 401 });
    }
    expect(received).not.toContain("forged");
  });
});
