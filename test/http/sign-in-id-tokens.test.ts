import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBrowser } from "../support/browser.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { type SignInServer, startSignInServer } from "./sign-in-server.ts";

/** What the provider's token endpoint answers, and what it publishes: a provider that goes wrong in one way at a time. */
interface Answer {
  readonly status?: number;
  readonly type?: string;
  readonly body: string;
}

const SECRET = "the secret that both sides know, long enough";

let database: TestDatabase;
let server: SignInServer;
let provider: Server;
let issuer: string;
let published: CryptoKey;
let unpublished: CryptoKey;
let tokens: (nonce: string) => Promise<Answer>;
let nonce = "";

beforeAll(async () => {
  const [one, other] = await Promise.all([generateKeyPair("RS256"), generateKeyPair("RS256")]);
  published = one.privateKey;
  unpublished = other.privateKey;
  const jwks = { keys: [{ ...(await exportJWK(one.publicKey)), kid: "one", alg: "RS256", use: "sig" }] };
  provider = createServer((request: IncomingMessage, response: ServerResponse) => {
    const json = (body: object) =>
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (request.url === "/.well-known/openid-configuration") {
      return json({
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        response_types_supported: ["code"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["RS256", "HS256", "none"],
      });
    }
    if (request.url === "/jwks") return json(jwks);
    return tokens(nonce).then(({ status = 200, type = "application/json", body }) =>
      response.writeHead(status, { "content-type": type }).end(body),
    );
  });
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", () => resolve()));
  issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  database = await createTestDatabase();
  server = await startSignInServer(database.appUrl, {
    issuers: [{ issuer, organization: "acme" }],
    signIn: [{ issuer, clientId: "console", clientSecret: SECRET }],
  });
});

afterAll(async () => {
  await server?.close();
  provider?.close();
  await database?.drop();
});

async function signIn(answer: typeof tokens) {
  tokens = answer;
  const browser = openBrowser();
  const started = await browser.request(`${server.url}/auth/login`);
  const { searchParams } = new URL(started.headers.get("location") ?? "");
  nonce = searchParams.get("nonce") ?? "";
  const state = searchParams.get("state") ?? "";
  const response = await browser.request(`${server.callback}?${new URLSearchParams({ state, code: "code" })}`);
  const signedIn = browser.cookie(server.url, "countersign") !== undefined;
  return { response, signedIn };
}

const now = () => Math.floor(Date.now() / 1000);
const right = (given: string) => ({
  iss: issuer,
  aud: "console",
  sub: "mallory",
  nonce: given,
  iat: now(),
  exp: now() + 60,
});
const answerWith = (idToken: string | undefined): Answer => ({
  body: JSON.stringify({ access_token: "opaque", token_type: "Bearer", id_token: idToken }),
});

function signed(claims: object, key: CryptoKey | Uint8Array = published, alg = "RS256", kid = "one"): Promise<string> {
  return new SignJWT({ ...claims }).setProtectedHeader({ alg, kid }).sign(key);
}

/** A right ID token, but for what is `wrong` about its claims. */
const claiming = (wrong: object) => async (given: string) => answerWith(await signed({ ...right(given), ...wrong }));

describe("an ID token", () => {
  it("signs in when it is right", async () => {
    const { response, signedIn } = await signIn(claiming({}));
    expect([response.status, signedIn]).toEqual([303, true]);
    expect((await server.entries()).map(({ type }) => type)).toEqual(["LEDGER_CREATED", "SESSION_STARTED"]);
  });

  const cases: readonly (readonly [string, string, typeof tokens])[] = [
    ["for another client", "ID_TOKEN_REFUSED", claiming({ aud: "other" })],
    [
      "for others too, without naming us the authorized one",
      "ID_TOKEN_REFUSED",
      claiming({ aud: ["console", "other"] }),
    ],
    ["authorizing another client", "ID_TOKEN_REFUSED", claiming({ aud: ["console", "other"], azp: "other" })],
    ["of another issuer", "ID_TOKEN_REFUSED", claiming({ iss: "https://evil.example" })],
    ["of another sign-in", "ID_TOKEN_REFUSED", claiming({ nonce: "of another" })],
    ["of no sign-in", "ID_TOKEN_REFUSED", claiming({ nonce: undefined })],
    ["that has expired", "ID_TOKEN_REFUSED", claiming({ exp: now() - 3600 })],
    ["that never expires", "ID_TOKEN_REFUSED", claiming({ exp: undefined })],
    ["about nobody", "ID_TOKEN_REFUSED", claiming({ sub: undefined })],
    ["about an agent", "NOT_A_PERSON", claiming({ kind: "AGENT" })],
    ["about an agent that acts for somebody", "NOT_A_PERSON", claiming({ act: { sub: "agent" } })],
    ["about a client", "NOT_A_PERSON", claiming({ sub: "console", azp: "console" })],
    ["with roles of a wrong type", "CLAIMS_REFUSED", claiming({ roles: "admin" })],
    ["signed by nobody", "ID_TOKEN_REFUSED", async (given) => answerWith(new UnsecuredJWT(right(given)).encode())],
    [
      "signed with a key that is not published",
      "ID_TOKEN_REFUSED",
      async (given) => answerWith(await signed(right(given), unpublished)),
    ],
    [
      "signed with a key that nobody knows",
      "ID_TOKEN_REFUSED",
      async (given) => answerWith(await signed(right(given), unpublished, "RS256", "two")),
    ],
    [
      "signed with the client's secret",
      "ID_TOKEN_REFUSED",
      async (given) => answerWith(await signed(right(given), new TextEncoder().encode(SECRET), "HS256")),
    ],
    ["that is not there", "ID_TOKEN_REFUSED", async () => answerWith(undefined)],
    ["that is none", "ID_TOKEN_REFUSED", async () => answerWith("a.b.c")],
  ];

  it.each(cases)("%s is refused: %s", async (_what, code, answer) => {
    const before = await server.entries();
    const { response, signedIn } = await signIn(answer);
    const text = await response.text();
    expect([(JSON.parse(text) as { readonly code: string }).code, signedIn]).toEqual([code, false]);
    expect(text).not.toContain("mallory");
    expect(server.logged.join("")).not.toMatch(/eyJ/);
    expect(await server.entries()).toHaveLength(before.length);
  });
});

describe("a token endpoint", () => {
  const cases: readonly (readonly [string, string, Answer])[] = [
    ["fails", "PROVIDER_FAILED", { status: 500, type: "text/html", body: "<h1>oops</h1>" }],
    ["speaks HTML", "PROVIDER_FAILED", { type: "text/html", body: "<h1>hello</h1>" }],
    ["does not finish its JSON", "ID_TOKEN_REFUSED", { body: '{"access_token":' }],
    ["does not know us", "PROVIDER_FAILED", { status: 401, body: '{"error":"invalid_client"}' }],
    ["refuses the code", "CODE_REFUSED", { status: 400, body: '{"error":"invalid_grant"}' }],
    ["sends us elsewhere", "PROVIDER_FAILED", { status: 307, type: "text/plain", body: "" }],
  ];

  it.each(cases)("that %s signs nobody in: %s", async (_what, code, answer) => {
    const { response, signedIn } = await signIn(async () => answer);
    expect([((await response.json()) as { readonly code: string }).code, signedIn]).toEqual([code, false]);
  });
});
