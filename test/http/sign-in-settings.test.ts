import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AuthenticationError } from "../../src/domain/identity/errors.ts";
import { LedgerUnavailableError } from "../../src/ledger/errors.ts";
import { openBrowser } from "../support/browser.ts";
import { type IdentityProvider, startIdentityProvider } from "../support/identity-provider.ts";
import { signInAt } from "../support/oauth-client.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { type SignInServer, type SignInServerOptions, startSignInServer } from "./sign-in-server.ts";

let database: TestDatabase;
let provider: IdentityProvider;

beforeAll(async () => {
  const ada = { name: "Ada", email: "ada@acme.example", roles: [], groups: [], amr: ["pwd"] };
  [database, provider] = await Promise.all([
    createTestDatabase(),
    startIdentityProvider({ audience: "countersign", users: { ada } }),
  ]);
});

afterAll(async () => {
  await provider?.close();
  await database?.drop();
});

const SECRET = "a secret of this test";

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { readonly code: string }).code;
}

describe("a server", () => {
  async function withServer(options: Partial<SignInServerOptions>, use: (other: SignInServer) => Promise<void>) {
    const { issuer } = provider;
    const settings = {
      issuers: [{ issuer, organization: "acme" }],
      signIn: [{ issuer, clientId: "other", clientSecret: SECRET }],
    };
    const other = await startSignInServer(database.appUrl, { ...settings, ...options });
    try {
      await provider.addClient({ client_id: "other", client_secret: SECRET, redirect_uris: [other.callback] });
      await use(other);
    } finally {
      await other.close();
    }
  }

  it("refuses people that the directory refuses, without the reason", async () => {
    const admit = async () => Promise.reject(new AuthenticationError("SUSPENDED", "suspended for a secret reason"));
    await withServer({ admit }, async (other) => {
      const before = await other.entries();
      const { response } = await signInAt(openBrowser(), `${other.url}/auth/login`, "ada");
      expect([response.status, await codeOf(response)]).toEqual([403, "ACCESS_REFUSED"]);
      expect(await other.entries()).toHaveLength(before.length);
    });
  });

  it("records that somebody signed out who may not come in any more, so that the cookie stays worthless", async () => {
    let suspended = false;
    const admit: SignInServerOptions["admit"] = async (presented) => {
      if (suspended) throw new AuthenticationError("SUSPENDED", "suspended");
      return presented;
    };
    await withServer({ admit }, async (other) => {
      const browser = openBrowser();
      await signInAt(browser, `${other.url}/auth/login`, "ada");
      const kept = browser.cookie(other.url, "countersign") ?? "";
      const { session } = (await other.entries()).at(-1) ?? {};
      const asked = async () => (await browser.request(`${other.url}/auth/session`)).status;
      expect(await asked()).toBe(200);
      suspended = true;
      expect(await asked()).toBe(401);
      const headers = { origin: other.url };
      const logout = await browser.request(`${other.url}/auth/logout`, { method: "POST", headers });
      expect(logout.status).toBe(200);
      expect((await other.entries()).at(-1)).toMatchObject({ type: "SESSION_ENDED", session, reason: "LOGOUT" });
      suspended = false;
      browser.setCookie(other.url, "countersign", kept);
      await expect.poll(asked).toBe(401);
    });
  });

  it("signs nobody in whose session it cannot record", async () => {
    const sessions: SignInServerOptions["sessions"] = (real) => ({
      ...real,
      start: () => Promise.reject(new LedgerUnavailableError("away", 1)),
    });
    await withServer({ sessions }, async (other) => {
      const browser = openBrowser();
      const { response } = await signInAt(browser, `${other.url}/auth/login`, "ada");
      expect([response.status, await codeOf(response)]).toEqual([503, "LEDGER_UNAVAILABLE"]);
      expect(browser.cookie(other.url, "countersign")).toBeUndefined();
    });
  });

  it("sets a cookie that ends no later than its session, however long recording it takes", async () => {
    let ahead = 0;
    let recorded = 0;
    const now = () => Date.now() + ahead;
    const sessions: SignInServerOptions["sessions"] = (real) => ({
      ...real,
      async start(...call) {
        const started = await real.start(...call);
        ahead = 10_500;
        recorded = now();
        return started;
      },
    });
    await withServer({ sessions, now }, async (other) => {
      const browser = openBrowser();
      await signInAt(browser, `${other.url}/auth/login`, "ada");
      const end = Date.parse((await other.entries()).at(-1)?.states?.[0]?.state.expiresAt ?? "");
      const maxAge = Number(/Max-Age=(\d+)/.exec(browser.attributes.get("countersign") ?? "")?.[1]);
      expect(maxAge).toBeGreaterThan(0);
      expect(recorded + maxAge * 1000).toBeLessThanOrEqual(end);
    });
  });

  it("sets no cookie for a session that has ended by the time it is recorded", async () => {
    let ahead = 0;
    const sessions: SignInServerOptions["sessions"] = (real) => ({
      ...real,
      async start(...call) {
        const started = await real.start(...call);
        ahead = 365 * 86_400_000;
        return started;
      },
    });
    await withServer({ sessions, now: () => Date.now() + ahead }, async (other) => {
      const browser = openBrowser();
      await signInAt(browser, `${other.url}/auth/login`, "ada");
      expect(browser.cookie(other.url, "countersign")).toBeUndefined();
      expect(browser.attributes.get("countersign")).toContain("Max-Age=0;");
    });
  });

  it("uses cookies on https that no other host and no plain connection can set", async () => {
    await withServer({ publicUrl: "https://countersign.example" }, async (other) => {
      const response = await fetch(`${other.url}/auth/login`, { redirect: "manual" });
      const [line] = response.headers.getSetCookie();
      expect(line).toMatch(/^__Host-countersign-sign-in=.*; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
      const { searchParams } = new URL(response.headers.get("location") ?? "");
      expect(searchParams.get("redirect_uri")).toBe("https://countersign.example/auth/callback");
    });
  });

  it("does not sign in over plain http on an address that others can reach", async () => {
    await withServer({ publicUrl: "http://countersign.example" }, async (other) => {
      const response = await fetch(`${other.url}/auth/login`, { redirect: "manual" });
      expect([response.status, await codeOf(response)]).toEqual([503, "INSECURE_ADDRESS"]);
    });
  });

  it("asks at which of several providers to sign in", async () => {
    const second = "https://idp.example/a&b<";
    const both = {
      issuers: [
        { issuer: provider.issuer, organization: "acme" },
        { issuer: second, organization: "globex" },
      ],
      signIn: [
        { issuer: provider.issuer, clientId: "other", clientSecret: SECRET },
        { issuer: second, clientId: "x" },
      ],
    };
    await withServer(both, async (other) => {
      const page = await (await fetch(`${other.url}/auth/login?returnTo=/a?b=1`)).text();
      expect(page).toContain("https://idp.example/a&#38;b&#60;");
      const [first] = [...page.matchAll(/href="([^"]+)"/g)].map(([, href = ""]) => href.replaceAll("&#38;", "&"));
      const { url } = await signInAt(openBrowser(), new URL(first ?? "", other.url), "ada");
      expect(url.href).toBe(`${other.url}/a?b=1`);
      const unknown = await fetch(`${other.url}/auth/login?issuer=https://evil.example`);
      expect([unknown.status, await codeOf(unknown)]).toEqual([404, "UNKNOWN_ISSUER"]);
    });
  });
});
