import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, openSocket } from "../http/client.ts";
import type { App } from "../support/app.ts";
import { ask, bearer, type Company, type CompanyUser, codesOf, startCompany } from "../support/company.ts";

let company: Company;
let first: App;
let second: App;

beforeAll(async () => {
  company = await startCompany({ servers: 2 });
  [first, second] = company.apps as [App, App];
});

afterAll(async () => {
  await company?.close();
});

const webSocketOf = (app: App) => app.url.replace("http", "ws");
const VIEWER = "{ viewer { id } }";
const call = async (app: App, token: string) => codesOf(await ask(app, bearer(token), VIEWER));

/** Milliseconds within which a revocation holds everywhere. */
const SOON = 5_000;

/** A socket with a subscription that goes on. */
async function subscribed(app: App, token: string) {
  const client = await connect(webSocketOf(app), token);
  client.send({ id: "1", type: "subscribe", payload: { query: "subscription { pendingApprovals { cursor } }" } });
  return client;
}

async function administer(mutation: string, input: object) {
  const [, name = ""] = /\{ (\w+)\(/.exec(mutation) ?? [];
  const answer = await ask<Record<string, { readonly entry: { readonly type: string } | null }>>(
    first,
    bearer(await company.person("root")),
    mutation,
    { input },
  );
  expect(codesOf(answer)).toEqual([]);
  return answer.data?.[name]?.entry?.type;
}

const revoke = (token: string) => {
  const { iss, jti } = decodeJwt(token);
  const mutation =
    "mutation ($input: RevokeTokenInput!) { revokeToken(input: $input) { entry { type } userErrors { code } } }";
  return administer(mutation, { issuer: iss, tokenId: jti, reason: "it was lost" });
};

const suspend = (user: CompanyUser) =>
  administer(
    "mutation ($input: SuspendPrincipalInput!) { suspendPrincipal(input: $input) { entry { type } userErrors { code } } }",
    { principalId: user, reason: "left the company" },
  );

const within = <Value>(milliseconds: number, work: Promise<Value>): Promise<Value | "too late"> =>
  Promise.race([work, new Promise<"too late">((resolve) => setTimeout(resolve, milliseconds, "too late"))]);

describe("a revoked token", () => {
  it("is refused within seconds by every server, and its sockets close; other tokens of the person go on", async () => {
    const [lost, other] = [await company.person("ada"), await company.person("ada")];
    const sockets = await Promise.all([first, second].map((app) => subscribed(app, lost)));
    const going = await subscribed(second, other);
    expect(await revoke(lost)).toBe("TOKEN_REVOKED");
    expect(await call(first, lost), "where it was revoked, at once").toEqual(["UNAUTHENTICATED"]);
    await expect.poll(() => call(second, lost), { timeout: SOON }).toEqual(["UNAUTHENTICATED"]);
    for (const { closed } of sockets) expect(await within(SOON, closed)).toMatchObject({ code: 4403 });
    expect([await call(first, other), await call(second, other)]).toEqual([[], []]);
    expect(going.socket.readyState).toBe(going.socket.OPEN);
    going.socket.close();
    // Nor can a new socket be opened with it.
    const late = await openSocket(webSocketOf(second));
    late.send({ type: "connection_init", payload: { authorization: `Bearer ${lost}` } });
    expect(await within(SOON, late.closed)).toMatchObject({ code: 4403 });
  });
});

describe("a suspended person", () => {
  it("is refused within seconds by every server, with every token, in the browser, and through an agent", async () => {
    const token = await company.person("ben");
    const agent = await company.agentFor(token);
    const browser = await company.signIn(first, "ben");
    const asked = async () => (await browser.request(new URL("/auth/session", first.url))).status;
    expect([await call(first, token), await call(second, agent), await asked()]).toEqual([[], [], 200]);
    const cookie = `countersign=${browser.cookie(first.url, "countersign")}`;
    const inBrowser = await openSocket(webSocketOf(first), {
      headers: { cookie, origin: new URL(first.url).origin },
    });
    inBrowser.send({ type: "connection_init" });
    await inBrowser.next(({ type }) => type === "connection_ack");
    const sockets = [inBrowser, await subscribed(second, token), await subscribed(second, agent)];
    const stream = await fetch(second.url, {
      method: "POST",
      headers: { ...bearer(token), accept: "text/event-stream", "content-type": "application/json" },
      body: JSON.stringify({ query: "subscription { pendingApprovals { cursor } }" }),
    });
    const streamed = stream.text();

    expect(await suspend("ben")).toBe("PRINCIPAL_SUSPENDED");
    await expect.poll(() => call(second, token), { timeout: SOON }).toEqual(["UNAUTHENTICATED"]);
    for (const { closed } of sockets) expect(await within(SOON, closed)).toMatchObject({ code: 4403 });
    expect(await within(SOON, streamed)).toContain("UNAUTHENTICATED");
    expect(await call(first, token)).toEqual(["UNAUTHENTICATED"]);
    expect(await call(first, agent)).toEqual(["UNAUTHENTICATED"]);
    expect(await asked()).toBe(401);
    // Signing in again does not help.
    expect(await call(second, await company.person("ben"))).toEqual(["UNAUTHENTICATED"]);
    await expect(company.signIn(second, "ben")).rejects.toThrow("ACCESS_REFUSED");
  });
});

describe("a session that was signed out of", () => {
  it("closes the browser's sockets at every server", async () => {
    const browser = await company.signIn(first, "max");
    const cookie = `countersign=${browser.cookie(first.url, "countersign")}`;
    const sockets = await Promise.all(
      [first, second].map((app) =>
        openSocket(webSocketOf(app), { headers: { cookie, origin: new URL(app.url).origin } }),
      ),
    );
    for (const { send, next } of sockets) {
      send({ type: "connection_init" });
      await next(({ type }) => type === "connection_ack");
    }
    const headers = { origin: new URL(first.url).origin };
    const logout = await browser.request(new URL("/auth/logout", first.url), { method: "POST", headers });
    expect(logout.status).toBe(200);
    for (const { closed } of sockets) expect(await within(SOON, closed)).toMatchObject({ code: 4403 });
  });
});
