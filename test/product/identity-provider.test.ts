import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../support/app.ts";
import { AGENT, ask, bearer, bound, type Company, codesOf, type Refusal, startCompany } from "../support/company.ts";
import { codeFlow, makeDpopKey } from "../support/oauth-client.ts";

let company: Company;
let app: App;

beforeAll(async () => {
  company = await startCompany();
  app = company.apps[0] as App;
});

afterAll(async () => {
  await company?.close();
});

const VIEWER = "{ viewer { id kind email displayName roles groups onBehalfOf { id } } }";
interface Viewer {
  readonly viewer: { readonly id: string; readonly kind: string; readonly onBehalfOf: { readonly id: string } | null };
}

const PROPOSE = `mutation ($input: ProposeActionInput!) {
  proposeAction(input: $input) { action { id digest status viewerCanDecide } entry { actor { id onBehalfOf { id } } } userErrors { code } }
}`;
interface Proposed {
  readonly proposeAction: {
    readonly action: { readonly id: string; readonly digest: string; readonly status: string };
    readonly entry: {
      readonly actor: { readonly id: string; readonly onBehalfOf: { readonly id: string } | null };
    };
    readonly userErrors: readonly Refusal[];
  };
}

/** A certificate, which a person has to countersign. */
const certificate = () => ({
  input: {
    idempotencyKey: randomUUID(),
    platform: "vouchers",
    tool: "send_certificate",
    arguments: { user_id: "u", amount: 50 },
    repeat: true,
  },
});

async function propose(headers: Record<string, string>) {
  const answer = await ask<Proposed>(app, headers, PROPOSE, certificate());
  expect(codesOf(answer)).toEqual([]);
  return (answer.data as Proposed).proposeAction;
}

const APPROVE = `mutation ($input: ApproveActionInput!) { approveAction(input: $input) { action { status } userErrors { code } } }`;
const approve = (headers: Record<string, string>, { id, digest }: { readonly id: string; readonly digest: string }) =>
  ask(app, headers, APPROVE, { input: { actionId: id, digest } });

const SESSION = `query ($id: ID!) {
  session(id: $id) { method address endReason client { name } principal { id email } entries(first: 50) { nodes { type actor { id } } } }
}`;
interface SessionAnswer {
  readonly session: {
    readonly method: string;
    readonly address: string;
    readonly endReason: string | null;
    readonly client: { readonly name: string };
    readonly principal: { readonly id: string; readonly email: string };
    readonly entries: { readonly nodes: readonly { readonly type: string; readonly actor: { readonly id: string } }[] };
  };
}

describe("a person with a browser", () => {
  it("signs in, works, and signs out; the session lists all of it in order", async () => {
    const browser = await company.signIn(app, "ada");
    const { origin } = new URL(app.url);
    const post = async (query: string, variables: object, headers: Record<string, string> = { origin }) => {
      const body = JSON.stringify({ query, variables });
      const response = await browser.request(app.url, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body,
      });
      return (await response.json()) as { readonly data?: unknown };
    };
    expect(await post(VIEWER, {})).toEqual({
      data: {
        viewer: {
          id: "ada",
          kind: "HUMAN",
          email: "ada@acme.example",
          displayName: "Ada Alvarez",
          roles: ["approver"],
          groups: ["approvers"],
          onBehalfOf: null,
        },
      },
    });
    const session = (await (await browser.request(new URL("/auth/session", app.url))).json()) as {
      readonly sessionId: string;
    };

    // Her agent's step hangs on her session, and so does her decision on another's.
    await propose(bearer(await company.agentFor(await company.person("ada"))));
    const others = await propose(bearer(await company.agentFor(await company.person("max"))));
    const input = { actionId: others.action.id, digest: others.action.digest };
    expect(await post(APPROVE, { input })).toEqual({
      data: { approveAction: { action: { status: "APPROVED" }, userErrors: [] } },
    });

    const kept = browser.cookie(app.url, "countersign") ?? "";
    const logout = await browser.request(new URL("/auth/logout", app.url), { method: "POST", headers: { origin } });
    expect(logout.status).toBe(200);
    // The cookie, copied before, is worth nothing any more.
    browser.setCookie(app.url, "countersign", kept);
    await expect.poll(async () => codesOf(await post(VIEWER, {})), { timeout: 5_000 }).toContain("UNAUTHENTICATED");

    const told = await ask<SessionAnswer>(app, bearer(await company.person("audra")), SESSION, {
      id: session.sessionId,
    });
    expect(told.data?.session).toEqual({
      method: "password+multi-factor",
      address: "127.0.0.1",
      endReason: "LOGOUT",
      client: { name: "browser" },
      principal: { id: "ada", email: "ada@acme.example" },
      entries: {
        nodes: [
          { type: "SESSION_STARTED", actor: { id: "ada" } },
          { type: "ACTION_PROPOSED", actor: { id: AGENT.id } },
          { type: "ACTION_APPROVED", actor: { id: "ada" } },
          { type: "SESSION_ENDED", actor: { id: "ada" } },
        ],
      },
    });
  });

  it.each([
    ["max", "google"],
    ["tom", "github"],
    ["root", "discord"],
    ["ben", "passkey"],
  ] as const)("is recorded with how %s signed in: %s", async (user, method) => {
    const browser = await company.signIn(app, user);
    const response = await browser.request(new URL("/auth/session", app.url));
    const { sessionId } = (await response.json()) as { readonly sessionId: string };
    const told = await ask<SessionAnswer>(app, bearer(await company.person("audra")), SESSION, { id: sessionId });
    expect(told.data?.session).toMatchObject({ method, principal: { id: user } });
  });

  it("cannot be made to act by a page of another site", async () => {
    const browser = await company.signIn(app, "max");
    const { origin } = new URL(app.url);
    const attempts: readonly [string, Record<string, string>, string][] = [
      [
        "POST",
        { "content-type": "application/json", origin: "https://evil.example" },
        JSON.stringify({ query: VIEWER }),
      ],
      ["POST", { "content-type": "application/json" }, JSON.stringify({ query: VIEWER })],
      ["POST", { "content-type": "text/plain", origin }, JSON.stringify({ query: VIEWER })],
    ];
    for (const [method, headers, body] of attempts) {
      const response = await browser.request(app.url, { method, headers, body });
      expect([response.ok, (await response.text()).includes("max@acme.example")]).toEqual([false, false]);
    }
    const inAddress = await browser.request(`${app.url}?query=${encodeURIComponent(VIEWER)}`, {
      headers: { accept: "application/json", origin },
    });
    expect(inAddress.status).toBe(401);
  });

  it("keeps its cookie to itself: as a bearer token it is nobody's", async () => {
    const browser = await company.signIn(app, "max");
    const cookie = browser.cookie(app.url, "countersign") ?? "";
    expect(codesOf(await ask(app, bearer(cookie), VIEWER))).toEqual(["UNAUTHENTICATED"]);
    browser.setCookie(app.url, "countersign", await company.person("max"));
    const response = await browser.request(app.url, {
      method: "POST",
      headers: { "content-type": "application/json", origin: new URL(app.url).origin },
      body: JSON.stringify({ query: VIEWER }),
    });
    expect(response.status).toBe(401);
  });
});

describe("a native program", () => {
  it("signs a person in by code and PKCE, and calls with the token", async () => {
    const answer = await ask<Viewer>(app, bearer(await company.person("ben")), VIEWER);
    expect(answer.data?.viewer).toMatchObject({ id: "ben", kind: "HUMAN", roles: ["approver"], groups: ["approvers"] });
  });
});

describe("a person of another organization's provider", () => {
  it("is somebody else, whatever the subject is called", async () => {
    const { action } = await propose(bearer(await company.agentFor(await company.person("max"))));
    const stranger = bearer((await codeFlow(company.foreign, "ada")).access_token);
    expect((await ask<Viewer>(app, stranger, VIEWER)).data?.viewer).toMatchObject({ id: "ada", kind: "HUMAN" });
    const seen = await ask(app, stranger, "query ($id: ID!) { action(id: $id) { id } ledger { id } }", {
      id: action.id,
    });
    expect(seen.data).toEqual({ action: null, ledger: expect.objectContaining({ id: expect.any(String) }) });
    expect(codesOf(await approve(stranger, action))).toEqual(["NOT_FOUND"]);
  });
});

describe("an agent", () => {
  const invite = async (input: object) =>
    ask(
      app,
      bearer(await company.person("root")),
      "mutation ($input: InviteAgentInput!) { inviteAgent(input: $input) { principal { id status } userErrors { code } } }",
      { input: { agentId: AGENT.id, displayName: "Support bot", ...input } },
    );

  it("that signs in as itself is nobody until it is invited, and acts for its owner then", async () => {
    const token = await company.agent();
    expect(codesOf(await ask(app, bearer(token), VIEWER))).toEqual(["UNAUTHENTICATED"]);
    await company.signIn(app, "max");
    expect(codesOf(await invite({ ownerId: "max" }))).toEqual([]);
    await expect.poll(async () => codesOf(await ask(app, bearer(token), VIEWER)), { timeout: 5_000 }).toEqual([]);
    const { data } = await ask<Viewer>(app, bearer(token), VIEWER);
    expect(data?.viewer).toMatchObject({ id: AGENT.id, kind: "AGENT", onBehalfOf: { id: "max" } });
    const { action, entry } = await propose(bearer(token));
    expect(action.status).toBe("PENDING");
    expect(entry.actor).toEqual({ id: AGENT.id, onBehalfOf: { id: "max" } });
  });

  it("acts for the person whose token it exchanged, who may not approve what it proposes; another may", async () => {
    const ada = await company.person("ada");
    const token = await company.agentFor(ada);
    const { data } = await ask<Viewer>(app, bearer(token), VIEWER);
    expect(data?.viewer).toMatchObject({ id: AGENT.id, kind: "AGENT", onBehalfOf: { id: "ada" } });
    const { action, entry } = await propose(bearer(token));
    expect([action.status, entry.actor]).toEqual(["PENDING", { id: AGENT.id, onBehalfOf: { id: "ada" } }]);
    expect(codesOf(await approve(bearer(token), action))).toEqual(["AGENT_CANNOT_DECIDE"]);
    expect(codesOf(await approve(bearer(ada), action))).toEqual(["REQUESTER_CANNOT_DECIDE"]);
    expect(codesOf(await approve(bearer(await company.person("ben")), action))).toEqual([]);
  });

  it("with a key is accepted only with a proof, and its grant is bound to the key", async () => {
    const [key, other] = await Promise.all([makeDpopKey(), makeDpopKey()]);
    const max = await company.person("max");
    const [token, otherToken] = await Promise.all([company.agentFor(max, key), company.agentFor(max, other)]);
    const refused = async (headers: Record<string, string>) => codesOf(await ask(app, headers, VIEWER));
    const good = await bound(app, token, key);
    expect(await refused(good)).toEqual([]);
    expect(await refused(good), "the same proof again").toEqual(["UNAUTHENTICATED"]);
    expect(await refused(bearer(token)), "as a bearer token").toEqual(["UNAUTHENTICATED"]);
    expect(await refused({ authorization: `DPoP ${token}` }), "without a proof").toEqual(["UNAUTHENTICATED"]);
    expect(await refused(await bound(app, token, other)), "with another key").toEqual(["UNAUTHENTICATED"]);
    const elsewhere = await key.proof({ method: "POST", url: "http://127.0.0.1:1/graphql", token });
    expect(await refused({ authorization: `DPoP ${token}`, dpop: elsewhere })).toEqual(["UNAUTHENTICATED"]);
    const late = await key.proof({
      method: "POST",
      url: app.url,
      token,
      issuedAt: Math.floor(Date.now() / 1000) - 600,
    });
    expect(await refused({ authorization: `DPoP ${token}`, dpop: late })).toEqual(["UNAUTHENTICATED"]);
    const ofAnother = await key.proof({ method: "POST", url: app.url, token: otherToken });
    expect(await refused({ authorization: `DPoP ${token}`, dpop: ofAnother })).toEqual(["UNAUTHENTICATED"]);

    const { action } = await propose(await bound(app, token, key));
    expect(codesOf(await approve(bearer(await company.person("ben")), action))).toEqual([]);
    const claimed = await ask<{ claimGrant: { grant: { token: string } } }>(
      app,
      await bound(app, token, key),
      "mutation ($input: ClaimGrantInput!) { claimGrant(input: $input) { grant { token } userErrors { code } } }",
      { input: { actionId: action.id } },
    );
    const grant = claimed.data?.claimGrant.grant.token ?? "";
    const redeem = async (headers: Record<string, string>) =>
      codesOf(
        await ask(
          app,
          headers,
          "mutation ($input: RedeemGrantInput!) { redeemGrant(input: $input) { action { status } userErrors { code } } }",
          { input: { token: grant, digest: action.digest } },
        ),
      );
    // The same agent for the same person, but whoever stole the grant does not have the key.
    expect(await redeem(await bound(app, otherToken, other))).toEqual(["GRANT_FOREIGN"]);
    expect(await redeem(bearer(await company.agentFor(max)))).toEqual(["GRANT_FOREIGN"]);
    expect(await redeem(await bound(app, token, key))).toEqual([]);
  });
});
