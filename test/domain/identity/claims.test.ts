import type { JWTPayload } from "jose";
import { describe, expect, it } from "vitest";
import { AuthenticationError } from "../../../src/domain/identity/errors.ts";
import { parseIdentityFile } from "../../../src/domain/identity/identity-file.ts";
import { displayNameSchema } from "../../../src/domain/identity/names.ts";
import { readerFor } from "../../../src/domain/identity/tokens/claims.ts";
import { readHouseClaims } from "../../../src/domain/identity/tokens/house-claims.ts";
import { INVISIBLE } from "./bad-tokens.ts";

const ISSUER = "https://login.acme.example";

/** What `claims` mean by the rules of an identity file. */
function read(claims: JWTPayload, rules: object = {}) {
  const { issuers } = parseIdentityFile({ issuers: [{ issuer: ISSUER, organization: "acme", ...rules }] });
  const [settings] = issuers;
  if (settings === undefined) throw new Error("no issuer");
  return readerFor(settings)({ iss: ISSUER, sub: "p-1", ...claims });
}

function badClaimOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof AuthenticationError && error.reason === "BAD_CLAIMS") return error.message;
    throw error;
  }
  return "none";
}

const CLIENTS = { "nightly-export": "SERVICE", assistant: "AGENT" };

describe("the kind of a principal", () => {
  it.each<readonly [string, JWTPayload, string, string]>([
    ["a person", {}, "HUMAN", "bearer-token"],
    ["a person through a client", { client_id: "console" }, "HUMAN", "bearer-token"],
    ["a listed client with somebody's subject", { client_id: "assistant" }, "AGENT", "client-credentials"],
    ["a listed client that says it is a person", { azp: "assistant", kind: "HUMAN" }, "AGENT", "client-credentials"],
    ["a listed service with a subject of its own", { azp: "nightly-export" }, "SERVICE", "client-credentials"],
    ["an account said to be a service", { kind: "SERVICE" }, "SERVICE", "bearer-token"],
    ["an account said to be an agent", { kind: "AGENT" }, "AGENT", "bearer-token"],
    ["a client as itself", { sub: "bot", client_id: "bot" }, "AGENT", "client-credentials"],
    ["a client as itself, by azp", { sub: "bot", azp: "bot" }, "AGENT", "client-credentials"],
    ["a client as itself, at Okta", { sub: "bot", cid: "bot" }, "AGENT", "client-credentials"],
    ["a client as itself, at Auth0", { sub: "bot@clients", azp: "bot" }, "AGENT", "client-credentials"],
    ["a client as itself, by its grant", { gty: "client-credentials", azp: "x" }, "AGENT", "client-credentials"],
    ["a client as itself, by its grants", { gty: ["client-credentials"] }, "AGENT", "client-credentials"],
    ["a client as itself, by grant_type", { grant_type: "client_credentials" }, "AGENT", "client-credentials"],
    ["a client as itself, at Entra ID", { idtyp: "app", appid: "bot" }, "AGENT", "client-credentials"],
    [
      "a client as itself, at Keycloak",
      { azp: "Bot", preferred_username: "service-account-bot" },
      "AGENT",
      "client-credentials",
    ],
    ["a listed service", { sub: "nightly-export", client_id: "nightly-export" }, "SERVICE", "client-credentials"],
    ["a listed service without a client", { sub: "nightly-export" }, "SERVICE", "client-credentials"],
    [
      "a machine that says it is a person",
      { sub: "bot", client_id: "bot", kind: "HUMAN" },
      "AGENT",
      "client-credentials",
    ],
    [
      "a machine that says it is a service",
      { sub: "bot", client_id: "bot", kind: "SERVICE" },
      "AGENT",
      "client-credentials",
    ],
    ["a machine with a password", { sub: "bot", client_id: "bot", amr: ["pwd"] }, "AGENT", "client-credentials"],
    ["whatever acts for somebody", { act: { sub: "agent-7", kind: "HUMAN" } }, "AGENT", "token-exchange"],
  ])("is found for %s", (_, claims, kind, method) => {
    const identity = read(claims, { clients: CLIENTS });
    expect([identity.principal.kind, identity.method]).toEqual([kind, method]);
  });

  it("is the agent's for the outermost act, which acts for the subject itself", () => {
    const identity = read(
      {
        name: "Anna",
        roles: ["approver"],
        client_id: "assistant",
        act: {
          sub: "agent-7",
          iss: ISSUER,
          name: "Assistant",
          roles: ["agent"],
          act: { sub: "a2", act: { sub: "a3", act: { sub: "a4", act: { sub: "a5" } } } },
        },
      },
      { subjectPrefix: "okta|" },
    );
    expect(identity).toEqual({
      principal: {
        id: "okta|agent-7",
        kind: "AGENT",
        organization: "acme",
        displayName: "Assistant",
        roles: ["agent"],
        groups: [],
        onBehalfOf: {
          id: "okta|p-1",
          kind: "HUMAN",
          organization: "acme",
          displayName: "Anna",
          roles: ["approver"],
          groups: [],
        },
      },
      method: "token-exchange",
      clientId: "assistant",
    });
  });

  it.each(["token-exchange", "urn:ietf:params:oauth:grant-type:token-exchange"])(
    "is not known of a token that was exchanged and does not say by whom: %s",
    (gty) => {
      expect(badClaimOf(() => read({ gty, azp: "assistant" }))).toContain("act");
      expect(read({ gty, act: { sub: "agent-7" } }).principal).toMatchObject({ id: "agent-7", kind: "AGENT" });
    },
  );

  it("stays a machine's when an agent acts for it", () => {
    const { principal } = read({ sub: "bot", client_id: "bot", act: { sub: "agent-7" } });
    expect([principal.kind, principal.onBehalfOf?.kind]).toEqual(["AGENT", "AGENT"]);
  });
});

describe("claims that name the client", () => {
  const names = ["client_id", "azp", "cid", "appid"];
  const pairs = names.flatMap((one) => names.flatMap((other) => (one < other ? [[one, other] as const] : [])));

  it.each(pairs)("must agree: %s and %s", (one, other) => {
    expect(read({ [one]: "console", [other]: "console" }).clientId).toBe("console");
    // One of them is a listed machine: whichever is believed, the other says otherwise.
    for (const claims of [
      { [one]: "console", [other]: "assistant" },
      { [one]: "assistant", [other]: "console" },
    ]) {
      expect(badClaimOf(() => read(claims))).toMatch(/names another client than/);
    }
  });
});

describe("how somebody signed in", () => {
  it.each<readonly [JWTPayload, string]>([
    [{ amr: ["pwd"] }, "password"],
    [{ amr: ["hwk"] }, "passkey"],
    [{ amr: ["swk", "user"] }, "passkey"],
    [{ amr: ["webauthn"] }, "passkey"],
    [{ amr: ["pwd", "mfa"] }, "password+multi-factor"],
    [{ amr: ["mfa", "otp", "pwd"] }, "password+multi-factor"],
    [{ amr: ["pwd", "sms"] }, "password+multi-factor"],
    [{ amr: ["mfa"] }, "multi-factor"],
    [{ amr: ["otp"] }, "one-time-code"],
    [{ amr: ["hwk", "mfa"] }, "passkey+multi-factor"],
    [{ amr: ["sc", "pin"] }, "smart-card"],
    [{ amr: ["fpt", "face"] }, "biometric"],
    [{ amr: ["geo", "rba"] }, "bearer-token"],
    [{ amr: ["__proto__", 7] }, "bearer-token"],
    [{ amr: "pwd" }, "bearer-token"],
    [{ amr: [] }, "bearer-token"],
    [{ idp: "google", amr: ["pwd"] }, "google"],
    [{ identity_provider: "GitHub" }, "github"],
    [{ upstream: "discord" }, "discord"],
    [{ connection: "google-oauth2" }, "google"],
    [{ idp: "constructor" }, "bearer-token"],
    [{ idp: "https://login.other.example", amr: ["pwd"] }, "password"],
    [{ idp: 7 }, "bearer-token"],
  ])("is read from %j", (claims, method) => {
    expect(read(claims).method).toBe(method);
  });
});

describe("claims", () => {
  const nested = {
    realm_access: { roles: ["a", "b"] },
    "https://acme.example/groups": ["finance"],
    profile: { "full.name": "Anna", mail: "anna@acme.example" },
    sort: "AGENT",
  };

  it("are found by paths, through claims and through names with dots", () => {
    const claims = {
      roles: "realm_access.roles",
      groups: "https://acme.example/groups",
      name: "profile.full.name",
      email: "profile.mail",
      kind: "sort",
    };
    expect(read(nested, { claims }).principal).toMatchObject({
      roles: ["a", "b"],
      groups: ["finance"],
      displayName: "Anna",
      email: "anna@acme.example",
      kind: "AGENT",
    });
  });

  it.each(["realm_access.nothing", "realm_access.roles.length", "constructor.name", "__proto__.roles", "nothing"])(
    "that are not at %s are not there",
    (roles) => {
      expect(read(nested, { claims: { roles } }).principal.roles).toEqual([]);
    },
  );

  it("give only the roles that are mapped, when any are", () => {
    const roleMap = { "cs-approver": "approver", "cs-lead": "approver", "cs-admin": "admin" };
    const roles = ["cs-lead", "cs-approver", "admin", "offline_access", "constructor", "\u202eodd", "x".repeat(300)];
    expect(read({ roles }, { roleMap }).principal.roles).toEqual(["approver"]);
    expect(badClaimOf(() => read({ roles: ["cs-lead", 7] }, { roleMap }))).toContain("roles");
  });

  it.each([false, "false"])("give no e-mail address that was never checked (%j)", (email_verified) => {
    expect(read({ email: "ceo@acme.example", email_verified }).principal.email).toBeUndefined();
    expect(read({ email: "ceo@acme.example", email_verified: true }).principal.email).toBe("ceo@acme.example");
  });

  it.each<readonly [JWTPayload, object, boolean | undefined]>([
    [{ email_verified: true }, {}, true],
    [{ email_verified: "true" }, {}, true],
    [{}, {}, undefined],
    [{ email_verified: 1 }, {}, undefined],
    [{}, { emailVerified: "always" }, true],
    // The statement is about the claim `email` beside it.
    [{ email_verified: true, upn: "ada@acme.example" }, { claims: { email: "upn" } }, undefined],
    [
      { email_verified: true, profile: { email: "ada@acme.example" } },
      { claims: { email: "profile.email" } },
      undefined,
    ],
    [{ profile: { email: "ada@acme.example", email_verified: true } }, { claims: { email: "profile.email" } }, true],
    [{ upn: "ada@acme.example" }, { claims: { email: "upn" }, emailVerified: "always" }, true],
  ])("%j with %j have a verified address: %s", (claims, rules, verified) => {
    const { principal } = read({ email: "ada@acme.example", ...claims }, rules);
    expect([principal.email, principal.emailVerified]).toEqual(["ada@acme.example", verified]);
  });

  it("have no address that is none", () => {
    const { principal } = read({ email: "Ada <ada@acme.example>", email_verified: true });
    expect(principal).not.toHaveProperty("email");
    expect(principal).not.toHaveProperty("emailVerified");
  });

  it("make ids that no other issuer of the organization could make", () => {
    const [plain, prefixed] = parseIdentityFile({
      issuers: [
        { issuer: ISSUER, organization: "acme" },
        { issuer: "https://okta.example", organization: "acme", subjectPrefix: "okta|" },
      ],
    }).issuers.map((settings) => readerFor(settings));
    expect(prefixed?.({ iss: "https://okta.example", sub: "p-1" }).principal.id).toBe("okta|p-1");
    expect(plain?.({ iss: ISSUER, sub: "p-1" }).principal.id).toBe("p-1");
    expect(badClaimOf(() => plain?.({ iss: ISSUER, sub: "okta|p-1" }))).toContain("sub");
    expect(badClaimOf(() => plain?.({ iss: ISSUER, sub: "p-1", act: { sub: "okta|agent" } }))).toContain("act");
  });

  it("may not make an id longer than an id may be", () => {
    expect(badClaimOf(() => read({ sub: "x".repeat(199) }, { subjectPrefix: "okta|" }))).toContain("sub");
  });
});

describe("our own tokens", () => {
  it("say how their person signed in", () => {
    const claims = { sub: "approver", org: "acme", kind: "HUMAN" };
    expect(readHouseClaims({ ...claims, method: "github" }).method).toBe("github");
    expect(readHouseClaims({ ...claims, amr: ["hwk"] }).method).toBe("passkey");
    expect(readHouseClaims(claims).method).toBe("bearer-token");
    expect(readHouseClaims({ ...claims, act: { sub: "agent" } })).toMatchObject({
      method: "token-exchange",
      principal: { id: "agent", kind: "AGENT", onBehalfOf: { id: "approver" } },
    });
  });
});

describe("a name", () => {
  it.each(["Anna", "Änne Öztürk", "山田　太郎", "Nguyễn Văn A", "علي", "O’Neill", "a b", "👩"])("may be %s", (name) => {
    expect(displayNameSchema.safeParse(name).success).toBe(true);
  });

  it.each(INVISIBLE.filter(([, character]) => !/\s/.test(character)))("may not hold %s", (_, character) => {
    for (const text of [character, `a${character}b`, `${character}a`, `a${character}`]) {
      expect(displayNameSchema.safeParse(text).success).toBe(false);
    }
  });

  it.each(["", " ", "\u00a0\u3000"])("may not be %j, of which nothing is seen", (text) => {
    expect(displayNameSchema.safeParse(text).success).toBe(false);
  });
});
