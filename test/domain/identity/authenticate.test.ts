import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { base64url, type CryptoKey, generateKeyPair, type KeyObject, SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGrants } from "../../../src/domain/actions/grants.ts";
import { type Authenticator, createAuthenticator } from "../../../src/domain/identity/authenticate.ts";
import type { Credentials } from "../../../src/domain/identity/authentication.ts";
import { createSessionTokens, SESSION_ISSUER } from "../../../src/domain/identity/browser/session-tokens.ts";
import { DEMO_NAMES } from "../../../src/domain/identity/demo-principals.ts";
import { AuthenticationError } from "../../../src/domain/identity/errors.ts";
import { type Keys, loadKeys, publicJwks } from "../../../src/domain/identity/keys.ts";
import {
  assertBuiltinAllowed,
  BUILTIN_ISSUER,
  type BuiltinIssuer,
  createBuiltinIssuer,
} from "../../../src/domain/identity/tokens/builtin-issuer.ts";
import { ACCESS_TOKEN_TYPE, SESSION_TOKEN_TYPE } from "../../../src/domain/identity/tokens/issuers.ts";
import { ConfigurationError } from "../../../src/errors.ts";

let directory: string;
let keys: Keys;
let issuer: BuiltinIssuer;
let authenticator: Authenticator;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "countersign-keys-"));
  keys = await loadKeys(path.join(directory, "keys.json"));
  issuer = createBuiltinIssuer({ keys, audience: "countersign" });
  authenticator = createAuthenticator({ issuers: [issuer.trusted] });
});
afterAll(() => rm(directory, { recursive: true }));

const bearer = (token: string): Credentials => ({ scheme: "Bearer", token });

const CLAIMS = { org: "acme", kind: "HUMAN", roles: ["approver"], groups: ["approvers"] };

interface Forgery {
  readonly claims?: object;
  readonly header?: object;
  readonly issuer?: string;
  readonly audience?: string;
  readonly subject?: string;
  readonly expires?: number | string;
}

async function forge(change: Forgery = {}, key: CryptoKey | KeyObject = keys.issuer.privateKey): Promise<string> {
  return new SignJWT({ ...CLAIMS, ...change.claims })
    .setProtectedHeader({ alg: "EdDSA", typ: ACCESS_TOKEN_TYPE, ...change.header })
    .setIssuer(change.issuer ?? BUILTIN_ISSUER)
    .setAudience(change.audience ?? "countersign")
    .setSubject(change.subject ?? "approver")
    .setIssuedAt()
    .setExpirationTime(change.expires ?? "1h")
    .sign(key);
}

async function expectRefused(token: string): Promise<void> {
  const outcome = await authenticator.authenticate(bearer(token)).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(AuthenticationError);
  expect(outcome).toMatchObject({ code: "UNAUTHENTICATED" });
}

describe("the built-in issuer", () => {
  it.each(DEMO_NAMES)("signs for %s, and its token is accepted", async (name) => {
    const { principal, expiresAt, tokenId } = await authenticator.authenticate(
      bearer(await issuer.sign(name, { ttl: 60 })),
    );
    expect(principal.id).toBe(name);
    expect(principal.kind).toBe(name === "agent" ? "AGENT" : "HUMAN");
    expect(principal.organization).toBe(name === "outsider" ? "globex" : "acme");
    expect(principal.groups.includes("approvers")).toBe(
      ["approver", "approver2", "admin", "admin2", "outsider"].includes(name),
    );
    expect(expiresAt).toBeGreaterThan(Date.now() / 1000);
    expect(tokenId).toBeDefined();
  });

  it("makes an agent act for a member, and nothing else of it, whatever roles it asks for", async () => {
    const token = await issuer.sign("agent", { roles: ["admin", "approver"] });
    const { principal } = await authenticator.authenticate(bearer(token));
    expect(principal).toEqual({
      id: "agent",
      kind: "AGENT",
      organization: "acme",
      displayName: "Demo agent",
      roles: ["admin", "approver"],
      groups: [],
      onBehalfOf: {
        id: "member",
        kind: "HUMAN",
        organization: "acme",
        email: "member@acme.example",
        emailVerified: true,
        displayName: "Demo member",
        roles: ["member"],
        groups: [],
      },
    });
  });

  it.each(["127.0.0.1", "127.1.2.3", "::1", "localhost"])("serves %s", (host) => {
    expect(() => assertBuiltinAllowed({ host, production: false })).not.toThrow();
    expect(() => assertBuiltinAllowed({ host, production: true })).toThrow(ConfigurationError);
  });

  it.each(["0.0.0.0", "::", "", "10.0.0.1", "127.0.0.1.example", "example.com"])("does not serve %s", (host) => {
    expect(() => assertBuiltinAllowed({ host, production: false })).toThrow(ConfigurationError);
  });
});

describe("authenticate", () => {
  it("accepts what the issuer signed, repeatedly", async () => {
    const token = await forge();
    const first = await authenticator.authenticate(bearer(token));
    expect(first.principal).toMatchObject({ id: "approver", kind: "HUMAN", groups: ["approvers"] });
    expect(await authenticator.authenticate(bearer(token))).toBe(first);
  });

  it.each<readonly [string, Forgery]>([
    ["from another issuer", { issuer: "https://elsewhere.example" }],
    ["for another audience", { audience: "other" }],
    ["of another type", { header: { typ: "JWT" } }],
    ["without a type", { header: { typ: undefined } }],
    ["that is over", { expires: Math.floor(Date.now() / 1000) - 1 }],
    ["not yet valid", { claims: { nbf: Math.floor(Date.now() / 1000) + 600 } }],
    ["with an unknown critical header", { header: { crit: ["x"], x: 1 } }],
    ["without a kind", { claims: { kind: undefined } }],
    ["of an unknown kind", { claims: { kind: "ROBOT" } }],
    ["without an organization", { claims: { org: undefined } }],
    ["of an organization that is two", { claims: { org: "acme/eu" } }],
    ["with an empty subject", { subject: "" }],
    ["with NUL in its subject", { subject: "approver\0" }],
    ["with a lone surrogate in its subject", { subject: "\ud800" }],
    ["with roles that are no list", { claims: { roles: "admin" } }],
    ["with an act that names nobody", { claims: { act: {} } }],
  ])("refuses a token %s", async (_, change) => {
    await expectRefused(await forge(change).catch(() => "not even signable"));
  });

  it("refuses a token of another key, also of the key for grants", async () => {
    await expectRefused(await forge({}, keys.grants.privateKey));
    await expectRefused(await forge({}, (await generateKeyPair("EdDSA")).privateKey));
  });

  it("refuses a grant as a token", async () => {
    const { token } = await createGrants(keys.issuer).sign({
      id: "0193aaaa-0000-7000-8000-000000000000",
      actionId: "0193aaaa-0000-8000-8000-000000000000",
      audience: "countersign",
      digest: "sha256:",
      issuedAt: new Date(),
      expiresAt: new Date(Date.now() + 60_000),
    });
    await expectRefused(token);
  });

  it("refuses tokens without a signature and with somebody else's algorithm", async () => {
    const token = await forge();
    const [, payload, signature] = token.split(".");
    const unsecured = new UnsecuredJWT(CLAIMS).setIssuer(BUILTIN_ISSUER).setSubject("approver").setExpirationTime("1h");
    await expectRefused(unsecured.encode());
    await expectRefused(`${token.slice(0, token.lastIndexOf("."))}.`);
    for (const alg of ["none", "HS256", "ES256", "RS256"]) {
      const header = base64url.encode(JSON.stringify({ alg, typ: ACCESS_TOKEN_TYPE }));
      await expectRefused(`${header}.${payload}.${signature}`);
    }
    const hmac = await new SignJWT(CLAIMS)
      .setProtectedHeader({ alg: "HS256", typ: ACCESS_TOKEN_TYPE })
      .setIssuer(BUILTIN_ISSUER)
      .setAudience("countersign")
      .setSubject("approver")
      .setIssuedAt()
      .setExpirationTime("1h")
      .sign(new TextEncoder().encode(JSON.stringify(keys.issuer.publicJwk)));
    await expectRefused(hmac);
  });

  it.each(["", "a", "a.b", "a.b.c", "....", "\0", "\ud800.x.y", "Bearer x"])("refuses %j", async (token) => {
    await expectRefused(token);
  });

  it("refuses a token once it is over, remembered or not", async () => {
    let now = Date.now();
    const clocked = createAuthenticator({ issuers: [issuer.trusted], now: () => now });
    const token = await issuer.sign("member", { ttl: 60 });
    await clocked.authenticate(bearer(token));
    now += 60_000;
    await expect(clocked.authenticate(bearer(token))).rejects.toThrow("expired");
    await expect(clocked.authenticate(bearer(token))).rejects.toThrow(AuthenticationError);
    await expectRefused(await issuer.sign("member", { ttl: -1 }));
  });
});

describe("a browser session's token", () => {
  const session = {
    principal: {
      id: "okta|p-1",
      kind: "HUMAN",
      organization: "acme",
      email: "anna@acme.example",
      displayName: "Anna",
      roles: ["approver"],
      groups: ["finance"],
    },
    sessionId: "0193aaaa-0000-7000-8000-000000000000",
    method: "google",
    signedInAt: "https://login.acme.example",
  } as const;
  const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;

  it("is accepted in the cookie, and identifies its session", async () => {
    const sessions = createSessionTokens({ keys, audience: "countersign" });
    const both = createAuthenticator({ issuers: [issuer.trusted, sessions.trusted] });
    const token = await sessions.sign({ ...session, assurance: "MFA", expiresAt: inAnHour() });
    const { tokenId, expiresAt, ...believed } = await both.authenticate({ scheme: "Cookie", token });
    expect(believed).toEqual({
      principal: session.principal,
      sessionId: session.sessionId,
      method: "google",
      assurance: "MFA",
      issuer: SESSION_ISSUER,
    });
    expect(tokenId).toBeDefined();
    expect(expiresAt).toBeGreaterThan(Date.now() / 1000);
  });

  it("is refused elsewhere, and no other token is accepted in the cookie", async () => {
    const sessions = createSessionTokens({ keys, audience: "countersign" });
    const both = createAuthenticator({ issuers: [issuer.trusted, sessions.trusted] });
    const token = await sessions.sign({ ...session, expiresAt: inAnHour() });
    for (const scheme of ["Bearer", "DPoP", "Cookie", "Bearer"] as const) {
      const outcome = both.authenticate({ scheme, token });
      if (scheme === "Cookie") expect((await outcome).principal.id).toBe("okta|p-1");
      else await expect(outcome).rejects.toMatchObject({ reason: "BAD_TOKEN" });
    }
    const access = await issuer.sign("approver");
    await expect(both.authenticate({ scheme: "Cookie", token: access })).rejects.toMatchObject({ reason: "BAD_TOKEN" });
    expect((await both.authenticate(bearer(access))).principal.id).toBe("approver");
  });

  it("is refused with the type of an access token, and the reverse", async () => {
    const sessions = createSessionTokens({ keys, audience: "countersign" });
    const both = createAuthenticator({ issuers: [issuer.trusted, sessions.trusted] });
    const asAccess = await forge({ issuer: SESSION_ISSUER });
    await expect(both.authenticate({ scheme: "Cookie", token: asAccess })).rejects.toMatchObject({
      reason: "BAD_TOKEN",
    });
    const asSession = await forge({ header: { typ: SESSION_TOKEN_TYPE } });
    await expect(both.authenticate(bearer(asSession))).rejects.toMatchObject({ reason: "BAD_TOKEN" });
    const noUuid = await forge({ issuer: SESSION_ISSUER, header: { typ: SESSION_TOKEN_TYPE }, claims: { sid: "7" } });
    await expect(both.authenticate({ scheme: "Cookie", token: noUuid })).rejects.toMatchObject({
      reason: "BAD_CLAIMS",
    });
  });
});

describe("loadKeys", () => {
  it("makes two different keys for its owner alone, and finds them again", async () => {
    const file = path.join(directory, "made", "keys.json");
    const made = await loadKeys(file);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(made.grants.kid).not.toBe(made.issuer.kid);
    const again = await loadKeys(file);
    expect(publicJwks(again)).toEqual(publicJwks(made));
    expect(JSON.stringify(publicJwks(made))).not.toContain('"d"');
    const token = await createBuiltinIssuer({ keys: again, audience: "countersign" }).sign("member");
    const believer = createAuthenticator({
      issuers: [createBuiltinIssuer({ keys: made, audience: "countersign" }).trusted],
    });
    expect((await believer.authenticate(bearer(token))).principal.id).toBe("member");
  });

  it("gives servers that start at once the same keys", async () => {
    const file = path.join(directory, "together.json");
    const all = await Promise.all(Array.from({ length: 8 }, () => loadKeys(file)));
    expect(new Set(all.map(({ grants }) => grants.kid)).size).toBe(1);
  });

  it("refuses a file that is not one of ours, and leaves it as it is", async () => {
    const file = path.join(directory, "bad.json");
    const one = JSON.parse(await readFile(path.join(directory, "keys.json"), "utf8")) as { grants: object };
    for (const text of ["", "{", "[]", '{"grants":{}}', JSON.stringify({ grants: one.grants, issuer: one.grants })]) {
      await writeFile(file, text);
      await expect(loadKeys(file)).rejects.toThrow(ConfigurationError);
      expect(await readFile(file, "utf8")).toBe(text);
    }
  });
});
