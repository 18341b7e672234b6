import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openBrowser } from "../support/browser.ts";
import { type IdentityProvider, startIdentityProvider } from "../support/identity-provider.ts";
import { codeFlow, signInAt } from "../support/oauth-client.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { dataOf, openSocket } from "./client.ts";
import { type Api, startApi } from "./harness.ts";

const ADMIN = { name: "Ada Alvarez", email: "ada@acme.example", roles: ["admin"], groups: ["approvers", "crew"] };
/** An end is noticed within a second of its own, or of a busy machine. */
const SOON = { timeout: 20_000 };
const SECRET = "a secret of this test";

let database: TestDatabase;
let keys: string;
let provider: IdentityProvider;
/** Two servers of one installation, and one that asks for each read. */
let one: Api;
let other: Api;
let strict: Api;
let all: readonly Api[];

beforeAll(async () => {
  [database, keys, provider] = await Promise.all([
    createTestDatabase(),
    mkdtemp(join(tmpdir(), "countersign-keys-")),
    startIdentityProvider({ audience: "countersign", users: { ada: ADMIN, ben: ADMIN } }),
  ]);
  const { issuer } = provider;
  const start = (reading: number) =>
    startApi(database.appUrl, {
      keyFile: join(keys, "keys.json"),
      claimsMaxAge: { reading },
      identityFile: {
        issuers: [{ issuer, organization: "acme" }],
        signIn: [{ issuer, clientId: "console", clientSecret: SECRET }],
      },
    });
  [one, other, strict] = [await start(300_000), await start(300_000), await start(1)];
  all = [one, other, strict];
  await register({});
});

afterAll(async () => {
  await Promise.all((all ?? []).map((server) => server.close()));
  await provider?.close();
  await database?.drop();
  await rm(keys, { recursive: true, force: true });
});

beforeEach(() => provider.change("ada", ADMIN));

const register = (change: object) =>
  provider.addClient({
    client_id: "console",
    client_secret: SECRET,
    redirect_uris: all.map(({ url }) => new URL("/auth/callback", url).href),
    ...change,
  });

let changes = 0;
/** Another change of the directory each time, which only administrators may make. */
const change = () => {
  changes += 1;
  return `mutation { setPrincipalRoles(input: { principalId: "somebody-${changes}", roles: ["auditor"] }) { userErrors { code } } }`;
};

interface Answer {
  readonly codes: readonly string[];
  readonly data: { readonly [field: string]: unknown } | undefined;
}

/** Somebody who signed in with a browser. */
async function signIn(user = "ada") {
  const browser = openBrowser();
  const { url } = await signInAt(browser, new URL("/auth/login?returnTo=/auth/session", one.url), user);
  expect(url.pathname).toBe("/auth/session");
  const cookie = `countersign=${browser.cookie(one.url, "countersign")}`;
  const session = (await (await browser.request(url)).json()) as { readonly sessionId: string };
  const headersFor = (server: Api) => ({ cookie, origin: new URL(server.url).origin });
  async function ask(server: Api, query: string): Promise<Answer> {
    const response = await server.post(JSON.stringify({ query }), headersFor(server));
    const { data, errors = [] } = (await response.json()) as {
      readonly data?: Record<string, { readonly userErrors?: readonly { readonly code: string }[] }>;
      readonly errors?: readonly { readonly extensions: { readonly code: string } }[];
    };
    const refused = Object.values(data ?? {}).flatMap((field) => field?.userErrors ?? []);
    return {
      codes: [...errors.map(({ extensions }) => extensions.code), ...refused.map(({ code }) => code)],
      data,
    };
  }
  return {
    ...session,
    headersFor,
    ask,
    read: (server: Api) => ask(server, "{ viewer { id groups } }"),
    groups: async (server: Api) =>
      ((await ask(server, "{ viewer { groups } }")).data?.viewer as { readonly groups: readonly string[] } | undefined)
        ?.groups,
    /** Something that only administrators may do. */
    decide: (server: Api) => ask(server, change()),
  };
}

async function sql<Row extends object>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
  const client = new Client({ connectionString: database.superuserUrl });
  await client.connect();
  try {
    return (await client.query<Row>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

describe("a browser session", () => {
  it("decides with the roles that its provider gives now, at every server", async () => {
    const ada = await signIn();
    expect([await ada.decide(one), await ada.decide(other)].map(({ codes }) => codes)).toEqual([[], []]);
    provider.change("ada", { roles: ["member"] });
    expect((await ada.decide(one)).codes).toEqual(["ADMINISTRATORS_ONLY"]);
    expect((await ada.decide(other)).codes).toEqual(["ADMINISTRATORS_ONLY"]);
    provider.change("ada", ADMIN);
    expect((await ada.decide(other)).codes).toEqual([]);
  });

  it("reads with groups that are no older than the setting says", async () => {
    const ada = await signIn();
    expect(await ada.groups(strict)).toEqual(["approvers", "crew"]);
    provider.change("ada", { groups: ["crew"] });
    expect(await ada.groups(strict)).toEqual(["crew"]);
    // What one server learned is known to the others without asking again, when they look.
    const before = provider.refreshes();
    expect((await ada.decide(other)).codes).toEqual([]);
    expect(await ada.groups(other)).toEqual(["crew"]);
    expect(provider.refreshes()).toBe(before + 1);
  });

  it("is checked once for those who ask at once, and each refresh token is used once", async () => {
    const ada = await signIn();
    const before = provider.refreshes();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => ada.decide(n % 2 ? one : other)));
    expect(answers.flatMap(({ codes }) => codes)).toEqual([]);
    expect(provider.refreshes() - before).toBeLessThanOrEqual(4);
    expect((await ada.decide(one)).codes).toEqual([]);
  });

  it("decides nothing while its provider is down; reading and signing out go on", async () => {
    const ada = await signIn();
    expect(await ada.groups(strict)).toEqual(["approvers", "crew"]);
    await provider.stop();
    try {
      for (const server of all) {
        expect(await ada.decide(server)).toMatchObject({ codes: ["PROVIDER_UNAVAILABLE"] });
        expect(await ada.groups(server)).toEqual(["approvers", "crew"]);
      }
      const two =
        "mutation { __typename endSession(input: {}) { userErrors { code } } startSession(input: {}) { userErrors { code } } }";
      expect((await ada.ask(one, two)).codes).toEqual(["PROVIDER_UNAVAILABLE"]);
      const end =
        "mutation { ... on Mutation { ...E } } fragment E on Mutation { endSession(input: {}) { userErrors { code } } }";
      expect((await ada.ask(one, end)).codes).toEqual([]);
    } finally {
      await provider.resume();
    }
    await expect.poll(async () => (await ada.decide(one)).codes, SOON).toEqual(["UNAUTHENTICATED"]);
    expect((await (await signIn()).decide(one)).codes).toEqual([]);
  });

  it("waits for a provider that does not answer a few seconds, once; others do not", async () => {
    const [ada, token] = [await signIn(), (await codeFlow(provider, "ben")).access_token];
    // Its keys are known from here on.
    expect((await strict.gql("{ viewer { id } }", {}, { token })).errors).toBeUndefined();
    provider.hang();
    try {
      const slow = ada.groups(strict);
      const deciding = ada.decide(one);
      expect((await strict.gql("{ viewer { id } }", {}, { token })).errors).toBeUndefined();
      expect(await slow).toEqual(["approvers", "crew"]);
      expect((await deciding).codes).toEqual(["PROVIDER_UNAVAILABLE"]);
      const began = performance.now();
      expect(await ada.groups(strict)).toEqual(["approvers", "crew"]);
      expect(performance.now() - began).toBeLessThan(4_000);
    } finally {
      await provider.resume();
    }
    await expect.poll(async () => (await ada.decide(one)).codes, SOON).toEqual([]);
  }, 30_000);

  it("ends, in the ledger and at every server, when its provider says so", async () => {
    const ada = await signIn();
    await provider.endSessions();
    expect(await ada.decide(one)).toMatchObject({ codes: ["UNAUTHENTICATED"] });
    const ended = await sql(
      "SELECT entry::json #>> '{body,reason}' AS reason, actor_id AS by FROM oc_audit_log WHERE type = 'SESSION_ENDED' AND session_id = $1",
      [ada.sessionId],
    );
    expect(ended).toEqual([{ reason: "REVOKED", by: "countersign" }]);
    expect(await sql("SELECT FROM oc_work.browser_session WHERE session = $1", [ada.sessionId])).toEqual([]);
    await expect.poll(async () => (await ada.read(other)).codes, SOON).toEqual(["UNAUTHENTICATED"]);
  });

  it("is worth nothing when what is stored of it is lost, altered, or another session's", async () => {
    const [ada, ben] = [await signIn(), await signIn("ben")];
    const read = async () => (await ada.read(strict)).codes;
    expect(await read()).toEqual([]);
    const [kept] = await sql<{ sealed: string }>("SELECT sealed FROM oc_work.browser_session WHERE session = $1", [
      ada.sessionId,
    ]);
    const [foreign] = await sql<{ sealed: string }>("SELECT sealed FROM oc_work.browser_session WHERE session = $1", [
      ben.sessionId,
    ]);
    expect(kept?.sealed.split(".")).toHaveLength(5);
    for (const text of [foreign?.sealed, `${kept?.sealed.slice(0, -4)}AAAA`, ""]) {
      await sql("UPDATE oc_work.browser_session SET sealed = $2 WHERE session = $1", [ada.sessionId, text]);
      expect(await read()).toEqual(["UNAUTHENTICATED"]);
    }
    await sql("DELETE FROM oc_work.browser_session WHERE session = $1", [ada.sessionId]);
    expect(await read()).toEqual(["UNAUTHENTICATED"]);
    expect((await ben.read(strict)).codes).toEqual([]);
  });

  it("uses in an old socket the groups of now, and loses the socket with a group", async () => {
    const ada = await signIn();
    const open = async (server: Api) => {
      const socket = await openSocket(server.wsUrl, { headers: ada.headersFor(server) });
      socket.send({ type: "connection_init" });
      await socket.next(({ type }) => type === "connection_ack");
      return socket;
    };
    const [following, deciding] = [await open(strict), await open(one)];
    provider.change("ada", { roles: ["member"], groups: ["crew"] });
    deciding.send({ id: "1", type: "subscribe", payload: { query: change() } });
    const decided = await deciding.next(({ id, type }) => id === "1" && type === "next");
    expect(dataOf<object>(decided)).toEqual({
      setPrincipalRoles: { userErrors: [{ code: "ADMINISTRATORS_ONLY" }] },
    });
    expect(await following.closed).toMatchObject({ code: 4403 });
    deciding.socket.close();
  });

  it("is checked by UserInfo at a provider that gives no refresh tokens, until its access token ends", async () => {
    await register({ grant_types: ["authorization_code"] });
    try {
      const ada = await signIn();
      const before = provider.refreshes();
      expect((await ada.decide(one)).codes).toEqual([]);
      provider.change("ada", { roles: ["member"] });
      expect((await ada.decide(one)).codes).toEqual(["ADMINISTRATORS_ONLY"]);
      expect(provider.refreshes()).toBe(before);
      await provider.endSessions();
      expect((await ada.decide(one)).codes).toEqual(["UNAUTHENTICATED"]);
    } finally {
      await register({});
    }
  });

  it("leaves a bearer token as it is until it expires: its issuer limits its life", async () => {
    const token = (await codeFlow(provider, "ada")).access_token;
    provider.change("ada", { roles: ["member"] });
    expect((await one.gql(change(), {}, { token })).data).toEqual({ setPrincipalRoles: { userErrors: [] } });
  });
});
