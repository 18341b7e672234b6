import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Answer, type App, startApp } from "./app.ts";
import { openBrowser } from "./browser.ts";
import { type IdentityProvider, type ProviderUser, startIdentityProvider } from "./identity-provider.ts";
import { clientCredentials, codeFlow, type DpopKey, exchangeToken, signInAt } from "./oauth-client.ts";
import { createTestDatabase } from "./postgres.ts";
import { makeDataDir } from "./server.ts";

/** An organization with a real identity provider, and servers of the product that believe it. */
export interface Company {
  readonly provider: IdentityProvider;
  /** The provider of another organization, globex, which has an `ada` of its own. */
  readonly foreign: IdentityProvider;
  readonly apps: readonly App[];
  /** A further server of the same installation. */
  start(): Promise<App>;
  /** An access token of a person, by authorization code and PKCE. */
  person(user: CompanyUser, key?: DpopKey): Promise<string>;
  /** An access token of the agent for itself. */
  agent(key?: DpopKey): Promise<string>;
  /** An access token with which the agent acts for a person. */
  agentFor(subjectToken: string, key?: DpopKey): Promise<string>;
  /** A browser in which a person has signed in at a server. */
  signIn(app: App, user: CompanyUser): Promise<ReturnType<typeof openBrowser>>;
  close(): Promise<void>;
}

const approver = { roles: ["approver"], groups: ["approvers"] };
const users = {
  ada: { name: "Ada Alvarez", email: "ada@acme.example", ...approver, amr: ["pwd", "otp"] },
  ben: { name: "Ben Brandt", email: "ben@acme.example", ...approver, amr: ["hwk", "user"] },
  max: { name: "Max Mora", email: "max@acme.example", roles: ["member"], groups: [], amr: ["pwd"], idp: "google" },
  tom: { name: "Tom Tull", email: "tom@acme.example", roles: ["member"], groups: [], amr: ["pwd"], idp: "github" },
  audra: { name: "Audra Auer", email: "audra@acme.example", roles: ["auditor"], groups: [], amr: ["pwd"] },
  una: { name: "Una Ude", email: "una@acme.example", roles: ["member"], groups: [] },
  root: { name: "Ruth Root", email: "ruth@acme.example", roles: ["admin"], groups: [], amr: ["pwd"], idp: "discord" },
} satisfies Record<string, ProviderUser>;
export type CompanyUser = keyof typeof users;

export const AGENT = { id: "support-bot", secret: "a secret of this agent" };
const CONSOLE = { id: "console", secret: "a secret of the server's" };

export async function startCompany({ servers = 1 } = {}): Promise<Company> {
  const [database, provider, foreign, dataDir] = await Promise.all([
    createTestDatabase(),
    startIdentityProvider({
      audience: "countersign",
      users,
      agents: { [AGENT.id]: { secret: AGENT.secret, claims: { name: "Support bot", roles: ["agent"] } } },
    }),
    startIdentityProvider({ audience: "countersign", users: { ada: users.ada } }),
    makeDataDir(),
  ]);
  const { issuer } = provider;
  const file = path.join(dataDir, "identity.json");
  const identity = {
    issuers: [
      { issuer, organization: "acme" },
      { issuer: foreign.issuer, organization: "globex" },
    ],
    signIn: [{ issuer, clientId: CONSOLE.id, clientSecret: CONSOLE.secret }],
  };
  await writeFile(file, JSON.stringify(identity));
  const apps: App[] = [];
  // One directory: the servers share their keys, so each believes what the other signed.
  const start = async () => {
    const app = await startApp({ databaseUrl: database.appUrl, dataDir, environment: { IDENTITY_FILE: file } });
    apps.push(app);
    return app;
  };
  for (let n = 0; n < servers; n += 1) await start();
  await provider.addClient({
    client_id: CONSOLE.id,
    client_secret: CONSOLE.secret,
    redirect_uris: apps.map(({ url }) => new URL("/auth/callback", url).href),
  });
  return {
    provider,
    foreign,
    apps,
    start,
    person: async (user, key) => (await codeFlow(provider, user, key)).access_token,
    agent: async (key) => (await clientCredentials(provider, AGENT, key)).access_token,
    agentFor: async (subject, key) => (await exchangeToken(provider, AGENT, subject, key)).access_token,
    async signIn(app, user) {
      const browser = openBrowser();
      const { url, response } = await signInAt(browser, new URL("/auth/login?returnTo=/livez", app.url), user);
      if (url.pathname !== "/livez") throw new Error(`${user} could not sign in: ${await response.text()}`);
      await response.body?.cancel();
      return browser;
    },
    async close() {
      await Promise.all(apps.map((app) => app.stop()));
      await Promise.all([provider.close(), foreign.close()]);
      await rm(dataDir, { recursive: true, force: true });
      await database.drop();
    },
  };
}

export interface Refusal {
  readonly code: string;
}

/** What a server answers to whoever presents `headers`; `Data` is what the query selects. */
export async function ask<Data>(
  app: App,
  headers: Record<string, string>,
  query: string,
  variables: object = {},
): Promise<Answer<Data>> {
  const response = await fetch(app.url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as Answer<Data>;
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** What goes with a request to `app` whose token is bound to `key`. */
export async function bound(app: App, token: string, key: DpopKey): Promise<Record<string, string>> {
  return { authorization: `DPoP ${token}`, dpop: await key.proof({ method: "POST", url: app.url, token }) };
}

/** The codes of what went wrong, from the top and from the one mutation of the answer. */
export function codesOf({ data, errors }: Answer<unknown>): readonly string[] {
  const [payload] = Object.values(data ?? {}) as ({ readonly userErrors?: readonly Refusal[] } | null)[];
  const top = (errors ?? []).map(({ extensions }) => extensions?.code ?? "");
  return [...top, ...(payload?.userErrors ?? []).map(({ code }) => code)];
}
