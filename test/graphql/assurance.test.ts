import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { openBrowser } from "../support/browser.ts";
import { type IdentityProvider, startIdentityProvider } from "../support/identity-provider.ts";
import { codeFlow, exchangeToken, signInAt } from "../support/oauth-client.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { act, propose } from "./steps.ts";

const SECRET = "a secret of this test";
const AGENT = { id: "support-bot", secret: SECRET };
const approver = { roles: ["approver"], groups: ["approvers"] };

let database: TestDatabase;
let provider: IdentityProvider;
let api: Api;
let agent: string;

beforeAll(async () => {
  [database, provider] = await Promise.all([
    createTestDatabase(),
    startIdentityProvider({
      audience: "countersign",
      users: {
        ada: { name: "Ada Alvarez", email: "ada@acme.example", ...approver, amr: ["pwd", "otp"] },
        ben: { name: "Ben Brandt", email: "ben@acme.example", ...approver, amr: ["hwk", "user"] },
        una: { name: "Una Ude", email: "una@acme.example", ...approver, amr: ["pwd"] },
        max: { name: "Max Mora", email: "max@acme.example", roles: ["member"], groups: [], amr: ["hwk", "user"] },
      },
      agents: { [AGENT.id]: { secret: SECRET, claims: { name: "Support bot", roles: ["agent"] } } },
    }),
  ]);
  const { issuer } = provider;
  api = await startApi(database.appUrl, {
    identityFile: {
      issuers: [{ issuer, organization: "acme" }],
      signIn: [{ issuer, clientId: "console", clientSecret: SECRET }],
    },
  });
  await provider.addClient({
    client_id: "console",
    client_secret: SECRET,
    redirect_uris: [new URL("/auth/callback", api.url).href],
  });
  agent = (await exchangeToken(provider, AGENT, (await codeFlow(provider, "max")).access_token)).access_token;
});

afterAll(async () => {
  await api?.close();
  await provider?.close();
  await database?.drop();
});

interface Decided {
  readonly action: { readonly status: string; readonly decisions: readonly { readonly assurance: string }[] };
  readonly entry: {
    readonly type: string;
    readonly body: { readonly decision: { readonly assurance: string } };
  } | null;
}
const SELECTION = "action{status decisions{verdict assurance channel}} entry{type body} userErrors{code}";

describe("how sure it is that a person decided", () => {
  it.each([
    ["una", "SESSION"],
    ["ada", "MFA"],
    ["ben", "KEY"],
  ])("is recorded as their provider says how %s signed in: %s", async (user, assurance) => {
    const { action } = await propose(api, {}, { token: agent });
    const { access_token: token } = await codeFlow(provider, user);
    const input = { actionId: action.id, digest: action.digest };
    const { action: decided, entry } = await act<Decided>(api, "approveAction", input, { token }, SELECTION);
    expect(decided.decisions).toEqual([{ verdict: "APPROVE", assurance, channel: "API" }]);
    expect(entry).toMatchObject({ type: "ACTION_APPROVED", body: { decision: { assurance } } });
  });

  it("is that of the sign-in in a browser session, also after its claims were asked for again", async () => {
    const browser = openBrowser();
    await signInAt(browser, new URL("/auth/login?returnTo=/auth/session", api.url), "ben");
    const headers = {
      cookie: `countersign=${browser.cookie(api.url, "countersign")}`,
      origin: new URL(api.url).origin,
    };
    const { action } = await propose(api, {}, { token: agent });
    const query = `mutation($input:DenyActionInput!){denyAction(input:$input){${SELECTION}}}`;
    const input = { actionId: action.id, digest: action.digest, note: "no" };
    const response = await api.post(JSON.stringify({ query, variables: { input } }), headers);
    const { data } = (await response.json()) as { readonly data: { readonly denyAction: Decided } };
    expect(data.denyAction.action.decisions).toEqual([{ verdict: "DENY", assurance: "KEY", channel: "API" }]);
    expect(data.denyAction.entry?.body.decision.assurance).toBe("KEY");
  });

  it("is in the entry of a refused attempt too; how the person whom an agent acts for signed in is nothing of the agent's", async () => {
    const { action } = await propose(api, {}, { token: agent });
    const input = { actionId: action.id, digest: action.digest };
    const refused = await act<Decided>(api, "approveAction", input, { token: agent }, SELECTION);
    expect(refused.entry).toMatchObject({ type: "DECISION_REFUSED", body: { decision: { assurance: "SESSION" } } });
  });
});
