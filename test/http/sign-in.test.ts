import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openBrowser } from "../support/browser.ts";
import { type IdentityProvider, startIdentityProvider } from "../support/identity-provider.ts";
import { signInAt } from "../support/oauth-client.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { type SignInServer, startSignInServer } from "./sign-in-server.ts";

const person = { name: "Ada Alvarez", email: "ada@acme.example", roles: ["approver"], groups: ["approvers"] };

let database: TestDatabase;
let provider: IdentityProvider;
let server: SignInServer;
/** Nobody the provider knows: whoever says so has not signed in. */
const NOBODY = "";
/** Milliseconds the server's clock is ahead. */
let ahead = 0;

const settings = (issuer: string) => ({
  issuers: [{ issuer, organization: "acme" }],
  signIn: [{ issuer, clientId: "console", clientSecret: "a secret of this test" }],
});

beforeAll(async () => {
  [database, provider] = await Promise.all([
    createTestDatabase(),
    startIdentityProvider({
      audience: "countersign",
      users: {
        ada: { ...person, amr: ["pwd"] },
        google: { ...person, amr: ["pwd"], idp: "google" },
        passkey: { ...person, amr: ["hwk", "user"] },
        unknown: { ...person, amr: [] },
        crowded: { ...person, amr: [], groups: Array.from({ length: 99 }, (_, n) => `a group with a long name ${n}`) },
        hidden: { ...person, name: "Ada\u202eAlvarez", amr: [] },
      },
    }),
  ]);
  server = await startSignInServer(database.appUrl, {
    ...settings(provider.issuer),
    now: () => Date.now() + ahead,
  });
  await provider.addClient({
    client_id: "console",
    client_secret: "a secret of this test",
    redirect_uris: [server.callback],
  });
});

afterAll(async () => {
  await server?.close();
  await provider?.close();
  await database?.drop();
});

beforeEach(() => {
  ahead = 0;
  server.refusals.length = 0;
});

const origin = () => ({ origin: server.url });

/** A browser in which `user` has signed in. */
async function signedIn(user = "ada") {
  const browser = openBrowser();
  const visit = await signInAt(browser, `${server.url}/auth/login?returnTo=/console?tab=1`, user);
  return { browser, visit };
}

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { readonly code: string }).code;
}

describe("signing in with a browser", () => {
  it("sends the browser to the provider with PKCE, state and nonce", async () => {
    const browser = openBrowser();
    const response = await browser.request(`${server.url}/auth/login`);
    const location = new URL(response.headers.get("location") ?? "");
    expect(response.status).toBe(303);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(location.origin).toBe(provider.issuer);
    expect(Object.fromEntries(location.searchParams)).toMatchObject({
      client_id: "console",
      response_type: "code",
      redirect_uri: server.callback,
      scope: "openid profile email",
      code_challenge_method: "S256",
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    });
    // What the browser keeps meanwhile tells it nothing.
    const kept = browser.cookie(server.url, "countersign-sign-in") ?? "";
    expect(kept.split(".")).toHaveLength(5);
    expect(browser.attributes.get("countersign-sign-in")).toBe("Max-Age=600; Path=/; HttpOnly; SameSite=Lax");
  });

  it("records the session, gives the browser one cookie, and goes on to where it wanted to be", async () => {
    const asked = Date.now();
    const { browser, visit } = await signedIn();
    expect(visit.url.href).toBe(`${server.url}/console?tab=1`);
    expect(browser.cookie(server.url, "countersign-sign-in")).toBeUndefined();
    const attributes = browser.attributes.get("countersign") ?? "";
    expect(attributes).toMatch(/^Max-Age=\d+; Path=\/; HttpOnly; SameSite=Lax$/);
    const started = (await server.entries()).at(-1);
    expect(started).toMatchObject({
      type: "SESSION_STARTED",
      method: "password",
      actor: { id: "ada", kind: "HUMAN", roles: ["approver"] },
    });

    const response = await browser.request(`${server.url}/auth/session`);
    const session = (await response.json()) as { readonly expiresAt: string };
    expect(session).toMatchObject({
      principal: {
        id: "ada",
        kind: "HUMAN",
        organization: "acme",
        displayName: "Ada Alvarez",
        email: "ada@acme.example",
        roles: ["approver"],
        groups: ["approvers"],
      },
      method: "password",
      sessionId: started?.session,
    });
    // The cookie lives no longer than the session, in its token and in the browser.
    const recordedEnd = Date.parse(started?.states?.[0]?.state.expiresAt ?? "");
    expect(Date.parse(session.expiresAt)).toBeLessThanOrEqual(recordedEnd);
    const maxAge = Number(/Max-Age=(\d+)/.exec(attributes)?.[1]);
    // It was set at some time between `asked` and now.
    expect(asked + maxAge * 1000).toBeLessThanOrEqual(recordedEnd);
  });

  it.each([
    ["ada", "password"],
    ["google", "google"],
    ["passkey", "passkey"],
    ["unknown", "openid-connect"],
  ])("takes the method of %s from the token: %s", async (user, method) => {
    await signedIn(user);
    expect((await server.entries()).at(-1)).toMatchObject({ type: "SESSION_STARTED", method });
  });

  it("verifies with the provider's keys of now, however recently it looked", async () => {
    await signedIn();
    await provider.rotate({ keep: false });
    const { visit } = await signedIn();
    expect(visit.url.pathname).toBe("/console");
  });

  it("signs out: records it, takes the cookie away, and the token in it is worth nothing any more", async () => {
    const { browser } = await signedIn();
    const kept = browser.cookie(server.url, "countersign") ?? "";
    const { session } = (await server.entries()).at(-1) ?? {};
    const response = await browser.request(`${server.url}/auth/logout`, { method: "POST", headers: origin() });
    expect(response.status).toBe(200);
    const { redirectTo } = (await response.json()) as { readonly redirectTo: string };
    expect(redirectTo).toMatch(new RegExp(`^${provider.issuer}/session/end\\?`));
    expect(browser.cookie(server.url, "countersign")).toBeUndefined();
    expect((await server.entries()).at(-1)).toMatchObject({ type: "SESSION_ENDED", session, reason: "LOGOUT" });

    const { length } = await server.entries();
    browser.setCookie(server.url, "countersign", kept);
    expect((await browser.request(`${server.url}/auth/session`)).status).toBe(401);
    const again = await browser.request(`${server.url}/auth/logout`, { method: "POST", headers: origin() });
    expect(again.status).toBe(200);
    expect(await server.entries()).toHaveLength(length);
  });

  it("ends the session a browser had when somebody signs in there again", async () => {
    const { browser } = await signedIn();
    const { length } = await server.entries();
    const first = (await server.entries()).at(-1)?.session;
    await signInAt(browser, `${server.url}/auth/login`, "ada");
    const [ended, started] = (await server.entries()).slice(length);
    expect(ended).toMatchObject({ type: "SESSION_ENDED", session: first });
    expect(started).toMatchObject({ type: "SESSION_STARTED" });
    const response = await browser.request(`${server.url}/auth/session`);
    expect(await response.json()).toMatchObject({ sessionId: started?.session });
  });

  it("leads a form to the provider's end of session", async () => {
    const { browser } = await signedIn();
    const headers = { ...origin(), accept: "text/html" };
    const response = await browser.request(`${server.url}/auth/logout`, { method: "POST", headers });
    expect([response.status, response.headers.get("location")]).toEqual([303, expect.stringContaining("/session/end")]);
  });

  it("has nobody in a browser that never signed in, nor with a cookie of its own making", async () => {
    const browser = openBrowser();
    expect((await browser.request(`${server.url}/auth/session`)).status).toBe(401);
    browser.setCookie(server.url, "countersign", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.");
    expect((await browser.request(`${server.url}/auth/session`)).status).toBe(401);
  });

  it("supports one method per address", async () => {
    const wrong = await Promise.all([
      fetch(`${server.url}/auth/login`, { method: "POST" }),
      fetch(`${server.url}/auth/callback`, { method: "POST" }),
      fetch(`${server.url}/auth/logout`),
      fetch(`${server.url}/auth/session`, { method: "DELETE" }),
    ]);
    expect(wrong.map(({ status }) => status)).toEqual([405, 405, 405, 405]);
    expect(wrong.map(({ headers }) => headers.get("allow"))).toEqual(["GET", "GET", "POST", "GET"]);
  });
});

describe("where a browser is sent afterwards", () => {
  it.each([
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "javascript:alert(1)",
    "/%0d%0a\nSet-Cookie: a=b",
    "/\t/evil.example",
    "",
    "console",
    `/${"a".repeat(1_000)}`,
  ])("is refused elsewhere: %.40j", async (returnTo) => {
    const response = await fetch(`${server.url}/auth/login?${new URLSearchParams({ returnTo })}`, {
      redirect: "manual",
    });
    expect([response.status, await codeOf(response)]).toEqual([400, "BAD_REQUEST"]);
  });

  it.each([
    ["/", "/"],
    ["/console?tab=1#top", "/console?tab=1#top"],
    // Two slashes at the beginning of a path would be another host, were the address not whole.
    ["/.//evil.example", "//evil.example"],
    ["/a/../b", "/b"],
  ])("is an address of ours: %j", async (returnTo, path) => {
    const browser = openBrowser();
    const start = `${server.url}/auth/login?${new URLSearchParams({ returnTo })}`;
    const { url } = await signInAt(browser, start, "ada", `${server.url}/auth/callback`);
    const response = await browser.request(url);
    expect(response.headers.get("location")).toBe(`${server.url}${path}`);
  });
});

describe("a sign-in that does not work out", () => {
  /** Goes as far as the way back, without taking it. */
  async function answered(user = "ada") {
    const browser = openBrowser();
    const { url } = await signInAt(browser, `${server.url}/auth/login`, user, server.callback);
    return { browser, url };
  }

  /** What is expected of every refusal: its code, once in the counter, nothing written, nothing signed in, nothing told. */
  async function refused(attempt: () => Promise<{ readonly response: Response; readonly secrets: readonly string[] }>) {
    const before = await server.entries();
    server.refusals.length = 0;
    const logged = server.logged.length;
    const { response, secrets } = await attempt();
    const text = await response.text();
    const { code } = JSON.parse(text) as { readonly code: string };
    expect(server.refusals).toEqual([code]);
    expect(await server.entries()).toHaveLength(before.length);
    expect(response.headers.getSetCookie().filter((line) => line.startsWith("countersign="))).toEqual([]);
    for (const secret of secrets.filter((one) => one !== "")) {
      expect(text).not.toContain(secret);
      expect(server.logged.slice(logged).join("")).not.toContain(secret);
    }
    return [response.status, code];
  }

  const secretsOf = (url: URL) =>
    ["code", "state", "error_description"].map((name) => url.searchParams.get(name) ?? "");
  const answer = async (browser: ReturnType<typeof openBrowser>, url: URL) => ({
    response: await browser.request(url),
    secrets: secretsOf(url),
  });

  it("is refused with another state, which ends no sign-in that is under way in another tab", async () => {
    const { browser, url: earlier } = await answered();
    const { url: later } = await signInAt(browser, `${server.url}/auth/login`, "ada", server.callback);
    const forged = new URL(later);
    forged.searchParams.set("state", "a-state-of-nobody");
    expect(await refused(() => answer(browser, forged))).toEqual([400, "STATE_MISMATCH"]);
    expect(await refused(() => answer(browser, earlier))).toEqual([400, "STATE_MISMATCH"]);
    expect((await browser.request(later)).status).toBe(303);
    expect((await browser.request(`${server.url}/auth/session`)).status).toBe(200);
    expect(await refused(() => answer(browser, later))).toEqual([400, "REPLAYED"]);
  });

  it("is refused without a state, and with two", async () => {
    const without = await answered();
    without.url.searchParams.delete("state");
    expect(await refused(() => answer(without.browser, without.url))).toEqual([400, "STATE_MISMATCH"]);
    const twice = await answered();
    twice.url.searchParams.append("state", twice.url.searchParams.get("state") ?? "");
    expect(await refused(() => answer(twice.browser, twice.url))).toEqual([400, "BAD_REQUEST"]);
  });

  it("is refused in a browser that did not start it", async () => {
    const { url } = await answered();
    expect(await refused(() => answer(openBrowser(), url))).toEqual([400, "NOT_STARTED"]);
    const other = await answered("google");
    expect(await refused(() => answer(other.browser, url))).toEqual([400, "STATE_MISMATCH"]);
  });

  it("is refused when it took too long", async () => {
    const { browser, url } = await answered();
    ahead = 601_000;
    expect(await refused(() => answer(browser, url))).toEqual([400, "NOT_STARTED"]);
  });

  it("is refused when the browser altered what it keeps", async () => {
    const { browser, url } = await answered();
    const kept = browser.cookie(server.url, "countersign-sign-in") ?? "";
    browser.setCookie(server.url, "countersign-sign-in", `${kept.slice(0, -4)}AAAA`);
    expect(await refused(() => answer(browser, url))).toEqual([400, "NOT_STARTED"]);
  });

  it("takes a long code: some providers' have thousands of characters", async () => {
    const { browser, url } = await answered();
    url.searchParams.set("code", "c".repeat(6_000));
    expect(await refused(() => answer(browser, url))).toEqual([400, "CODE_REFUSED"]);
  });

  it("is accepted once: going back in the browser's history does not sign in again", async () => {
    const { browser, url } = await answered();
    const kept = browser.cookie(server.url, "countersign-sign-in") ?? "";
    expect((await browser.request(url)).status).toBe(303);
    expect(await refused(() => answer(browser, url))).toEqual([400, "REPLAYED"]);
    browser.setCookie(server.url, "countersign-sign-in", kept);
    expect(await refused(() => answer(browser, url))).toEqual([400, "REPLAYED"]);
  });

  it("is refused when the code was spent elsewhere", async () => {
    const spent = await answered();
    expect((await spent.browser.request(spent.url)).status).toBe(303);
    const { browser, url } = await answered();
    url.searchParams.set("code", spent.url.searchParams.get("code") ?? "");
    expect(await refused(() => answer(browser, url))).toEqual([400, "CODE_REFUSED"]);
  });

  it("is refused when the person or the provider refuses", async () => {
    const { browser, url } = await answered(NOBODY);
    expect(url.searchParams.get("error")).toBe("access_denied");
    expect(await refused(() => answer(browser, url))).toEqual([403, "DENIED"]);
    const failing = await answered();
    failing.url.searchParams.delete("code");
    failing.url.searchParams.set("error", "server_error");
    failing.url.searchParams.set("error_description", "<script>alert(1)</script>");
    expect(await refused(() => answer(failing.browser, failing.url))).toEqual([502, "PROVIDER_FAILED"]);
  });

  it("is refused with a response of another issuer (RFC 9207)", async () => {
    const { browser, url } = await answered();
    url.searchParams.set("iss", "https://evil.example");
    expect(await refused(() => answer(browser, url))).toEqual([502, "ID_TOKEN_REFUSED"]);
  });

  it("is refused when the claims are not what they have to be", async () => {
    const hidden = await answered("hidden");
    expect(await refused(() => answer(hidden.browser, hidden.url))).toEqual([403, "CLAIMS_REFUSED"]);
  });

  it("is refused when the cookie would be too large for a browser", async () => {
    const { browser, url } = await answered("crowded");
    expect(await refused(() => answer(browser, url))).toEqual([403, "TOO_MUCH_SAID"]);
  });

  it("waits for a provider that is down, at either end, and works again afterwards", async () => {
    const { browser, url } = await answered();
    await provider.stop();
    try {
      expect(await refused(() => answer(browser, url))).toEqual([503, "PROVIDER_UNAVAILABLE"]);
    } finally {
      await provider.resume();
    }
    const fresh = await startSignInServer(database.appUrl, settings(provider.issuer));
    try {
      await provider.stop();
      const early = await fetch(`${fresh.url}/auth/login`, { redirect: "manual" });
      expect([early.status, await codeOf(early)]).toEqual([503, "PROVIDER_UNAVAILABLE"]);
      await provider.resume();
      expect((await fetch(`${fresh.url}/auth/login`, { redirect: "manual" })).status).toBe(303);
    } finally {
      await fresh.close();
    }
    expect((await signedIn()).visit.url.pathname).toBe("/console");
  });

  it("is a page for a browser, in which nothing of the request is", async () => {
    const headers = { accept: "text/html,*/*" };
    const response = await fetch(`${server.url}/auth/callback?error=<script>&state=<script>`, { headers });
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(response.headers.get("referrer-policy")).toBe("no-referrer");
    expect(await response.text()).not.toContain("script");
  });
});

describe("signing out", () => {
  it.each([
    ["a page of another site", { origin: "https://evil.example" }],
    ["a page of another port", { origin: "http://127.0.0.1:1" }],
    ["a sandboxed frame", { origin: "null" }],
    ["another site, by its fetch metadata", { "sec-fetch-site": "cross-site" }],
    ["a sibling of our site", { "sec-fetch-site": "same-site" }],
    ["nobody knows where", {}],
  ])("is refused to %s", async (_from, headers: Record<string, string>) => {
    const { browser } = await signedIn();
    const before = await server.entries();
    const response = await browser.request(`${server.url}/auth/logout`, { method: "POST", headers });
    expect([response.status, await codeOf(response)]).toEqual([403, "FORGED_REQUEST"]);
    expect(await server.entries()).toHaveLength(before.length);
    expect((await browser.request(`${server.url}/auth/session`)).status).toBe(200);
  });

  it.each([{ "sec-fetch-site": "same-origin" }, { "sec-fetch-site": "none" }])("is for us: %j", async (headers) => {
    const { browser } = await signedIn();
    const response = await browser.request(`${server.url}/auth/logout`, { method: "POST", headers });
    expect(response.status).toBe(200);
    expect((await server.entries()).at(-1)?.type).toBe("SESSION_ENDED");
  });
});
