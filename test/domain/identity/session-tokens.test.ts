import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuthenticator } from "../../../src/domain/identity/authenticate.ts";
import { type BrowserSession, createSessionTokens } from "../../../src/domain/identity/browser/session-tokens.ts";
import { parseIdentityFile } from "../../../src/domain/identity/identity-file.ts";
import { type Keys, loadKeys } from "../../../src/domain/identity/keys.ts";
import { createBuiltinIssuer } from "../../../src/domain/identity/tokens/builtin-issuer.ts";

const audience = "countersign";
const session: BrowserSession = {
  principal: {
    id: "ada",
    kind: "HUMAN",
    organization: "acme",
    displayName: "Ada Alvarez",
    email: "ada@acme.example",
    roles: ["approver"],
    groups: ["approvers"],
  },
  sessionId: "018f0000-0000-7000-8000-000000000000",
  method: "google",
  signedInAt: "https://idp.example",
  expiresAt: Math.floor(Date.now() / 1000) + 600,
};

let directory: string;
let keys: Keys;
let others: Keys;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "countersign-keys-"));
  keys = await loadKeys(join(directory, "keys.json"));
  others = await loadKeys(join(directory, "others.json"));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe("the token in a browser's cookie", () => {
  it("contains who signed in, how, where, and in which session", async () => {
    const tokens = createSessionTokens({ keys, audience });
    const token = await tokens.sign(session);
    const { authenticate } = createAuthenticator({ issuers: [tokens.trusted] });
    const { principal, sessionId, method, expiresAt } = session;
    expect(await authenticate({ scheme: "Cookie", token })).toMatchObject({ principal, sessionId, method, expiresAt });
    expect(tokens.issuerOf(token)).toBe("https://idp.example");
  });

  it.each([true, undefined])("says whether the provider had verified the address: %s", async (emailVerified) => {
    const tokens = createSessionTokens({ keys, audience });
    const { authenticate } = createAuthenticator({ issuers: [tokens.trusted] });
    const principal = { ...session.principal, ...(emailVerified === undefined ? {} : { emailVerified }) };
    const token = await tokens.sign({ ...session, principal });
    expect((await authenticate({ scheme: "Cookie", token })).principal).toEqual(principal);
  });

  it("is for cookies alone, and nothing else is", async () => {
    const tokens = createSessionTokens({ keys, audience });
    const builtin = createBuiltinIssuer({ keys, audience });
    const { authenticate } = createAuthenticator({ issuers: [tokens.trusted, builtin.trusted] });
    const refused = { code: "UNAUTHENTICATED", reason: "BAD_TOKEN" };
    const token = await tokens.sign(session);
    await expect(authenticate({ scheme: "Bearer", token })).rejects.toMatchObject(refused);
    const other = await builtin.sign("admin");
    await expect(authenticate({ scheme: "Cookie", token: other })).rejects.toMatchObject(refused);
  });

  it("is worth nothing at another installation, nor for another service", async () => {
    const { trusted } = createSessionTokens({ keys, audience });
    const { authenticate } = createAuthenticator({ issuers: [trusted] });
    const foreign = await createSessionTokens({ keys: others, audience }).sign(session);
    await expect(authenticate({ scheme: "Cookie", token: foreign })).rejects.toMatchObject({ reason: "BAD_SIGNATURE" });
    const elsewhere = await createSessionTokens({ keys, audience: "another" }).sign(session);
    await expect(authenticate({ scheme: "Cookie", token: elsewhere })).rejects.toMatchObject({
      reason: "WRONG_AUDIENCE",
    });
  });
});

describe("a secret of an installation", () => {
  it("is the same at each start, and another for each purpose and each installation", async () => {
    const again = await loadKeys(join(directory, "keys.json"));
    const secrets = [keys.secret("a"), keys.secret("b"), others.secret("a")].map((one) =>
      Buffer.from(one).toString("hex"),
    );
    expect(secrets.map(({ length }) => length)).toEqual([64, 64, 64]);
    expect(new Set(secrets).size).toBe(3);
    expect(Buffer.from(again.secret("a")).toString("hex")).toBe(secrets[0]);
  });
});

describe("the section signIn of the identity file", () => {
  const issuer = "https://idp.example";
  const parse = (...signIn: object[]) =>
    parseIdentityFile({ issuers: [{ issuer, organization: "acme" }], signIn }).signIn;

  it("asks for what it needs by default", () => {
    expect(parse({ issuer, clientId: "console" })).toEqual([
      { issuer, clientId: "console", scopes: ["openid", "profile", "email"] },
    ]);
  });

  it.each([
    ["an issuer that is not trusted", [{ issuer: "https://other.example", clientId: "x" }]],
    ["an issuer over plain http", [{ issuer: "http://idp.example", clientId: "x" }]],
    ["no client", [{ issuer }]],
    ["an empty client", [{ issuer, clientId: "" }]],
    ["scopes without openid", [{ issuer, clientId: "x", scopes: ["email"] }]],
    ["two scopes in one", [{ issuer, clientId: "x", scopes: ["openid email"] }]],
    [
      "one issuer twice",
      [
        { issuer, clientId: "x" },
        { issuer, clientId: "y" },
      ],
    ],
    ["what it does not know", [{ issuer, clientId: "x", clientsecret: "y" }]],
  ])("refuses %s", (_what, signIn) => {
    expect(() => parse(...signIn)).toThrow(/bad identity file: signIn/);
  });
});
