import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadIdentityFile, parseIdentityFile } from "../../../src/domain/identity/identity-file.ts";
import { ConfigurationError } from "../../../src/errors.ts";

const ACME = { issuer: "https://login.acme.example", organization: "acme" };
const JWK = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };

/** What is said about a file that is refused. */
function complaintOf(data: unknown): string {
  try {
    parseIdentityFile(data);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return "none";
}

describe("the identity file", () => {
  it("needs little", () => {
    expect(parseIdentityFile({ issuers: [ACME] })).toEqual({
      issuers: [
        {
          ...ACME,
          audience: ["countersign"],
          algorithms: ["RS256", "PS256", "ES256", "EdDSA"],
          tokenTypes: ["at+jwt", "JWT"],
          clockTolerance: 5,
          jwksUri: undefined,
          jwksMaxStale: 86_400,
          subjectPrefix: "",
          reservedPrefixes: [],
          claims: { roles: "roles", groups: "groups", email: "email", name: "name", kind: "kind", region: "region" },
          clients: {},
          acr: {},
          dpop: "optional",
          emailVerified: "claim",
        },
      ],
      trustedProxies: [],
      signatureAgents: {},
      signIn: [],
    });
    expect(parseIdentityFile({}).issuers).toEqual([]);
  });

  it("takes what it offers", () => {
    const issuer = {
      issuer: "urn:acme:idp",
      organization: "acme",
      audience: ["a", "b"],
      algorithms: ["ES384"],
      tokenTypes: ["at+jwt"],
      clockTolerance: 60,
      jwksUri: "http://127.0.0.1:8080/keys",
      jwksMaxStale: 60,
      subjectPrefix: "okta|",
      claims: { roles: "realm_access.roles" },
      roleMap: { "cs-approver": "approver" },
      clients: { bot: "AGENT", job: "SERVICE" },
      dpop: "required",
    };
    const file = {
      issuers: [issuer, ACME],
      trustedProxies: ["10.0.0.0/8", "2001:db8::/32"],
      signatureAgents: { "https://chatgpt.com": { keys: [JWK] } },
      signIn: [{ issuer: ACME.issuer, clientId: "console" }],
    };
    const settings = parseIdentityFile(file);
    expect(settings).toMatchObject({ ...file, issuers: [{ ...issuer, claims: { groups: "groups" } }, ACME] });
    expect(settings.issuers.map(({ reservedPrefixes }) => reservedPrefixes)).toEqual([[], ["okta|"]]);
  });

  it.each<readonly [string, unknown, string]>([
    ["no object", [], "the file"],
    ["an unknown member", { issuer: [] }, "issuer"],
    ["an issuer without an organization", { issuers: [{ issuer: ACME.issuer }] }, "issuers.0.organization"],
    ["an organization that is two", { issuers: [{ ...ACME, organization: "acme/eu" }] }, "issuers.0.organization"],
    ["an unknown member of an issuer", { issuers: [{ ...ACME, jwks: [] }] }, "jwks"],
    ["an issuer at plain http", { issuers: [{ ...ACME, issuer: "http://login.acme.example" }] }, "issuers.0.issuer"],
    [
      "an issuer at an almost local name",
      { issuers: [{ ...ACME, issuer: "http://127.0.0.1.example" }] },
      "issuers.0.issuer",
    ],
    ["an issuer with a query", { issuers: [{ ...ACME, issuer: "https://login.acme.example?a" }] }, "issuers.0.issuer"],
    [
      "an issuer with a password",
      { issuers: [{ ...ACME, issuer: "https://a:b@login.acme.example" }] },
      "issuers.0.issuer",
    ],
    ["an issuer that is a file", { issuers: [{ ...ACME, issuer: "file:///etc/keys" }] }, "issuers.0.issuer"],
    [
      "an issuer of our own",
      { issuers: [{ ...ACME, issuer: "urn:countersign:sessions", jwksUri: "https://a.example" }] },
      "issuers.0.issuer",
    ],
    ["a urn without keys", { issuers: [{ ...ACME, issuer: "urn:acme:idp" }] }, "issuers.0.jwksUri"],
    ["keys at plain http", { issuers: [{ ...ACME, jwksUri: "http://keys.acme.example" }] }, "issuers.0.jwksUri"],
    ["no audience", { issuers: [{ ...ACME, audience: [] }] }, "issuers.0.audience"],
    ["an empty audience", { issuers: [{ ...ACME, audience: "" }] }, "issuers.0.audience"],
    ["alg none", { issuers: [{ ...ACME, algorithms: ["none"] }] }, "issuers.0.algorithms.0"],
    ["a symmetric algorithm", { issuers: [{ ...ACME, algorithms: ["ES256", "HS256"] }] }, "issuers.0.algorithms.1"],
    ["no algorithm", { issuers: [{ ...ACME, algorithms: [] }] }, "issuers.0.algorithms"],
    [
      "a type that is no access token's",
      { issuers: [{ ...ACME, tokenTypes: ["dpop+jwt"] }] },
      "issuers.0.tokenTypes.0",
    ],
    ["a clock an hour off", { issuers: [{ ...ACME, clockTolerance: 3600 }] }, "issuers.0.clockTolerance"],
    ["a clock off by a text", { issuers: [{ ...ACME, clockTolerance: "5" }] }, "issuers.0.clockTolerance"],
    ["keys that are never good", { issuers: [{ ...ACME, jwksMaxStale: 0 }] }, "issuers.0.jwksMaxStale"],
    ["keys that are good for ever", { issuers: [{ ...ACME, jwksMaxStale: 1e9 }] }, "issuers.0.jwksMaxStale"],
    ["an invisible prefix", { issuers: [{ ...ACME, subjectPrefix: "\u200b" }] }, "issuers.0.subjectPrefix"],
    ["an empty path", { issuers: [{ ...ACME, claims: { roles: "" } }] }, "issuers.0.claims.roles"],
    ["a claim nobody asks for", { issuers: [{ ...ACME, claims: { role: "role" } }] }, "role"],
    ["an invisible role", { issuers: [{ ...ACME, roleMap: { a: "ad\u00admin" } }] }, "issuers.0.roleMap.a"],
    ["a client that is a human", { issuers: [{ ...ACME, clients: { bot: "HUMAN" } }] }, "issuers.0.clients.bot"],
    ["proofs now and then", { issuers: [{ ...ACME, dpop: "sometimes" }] }, "issuers.0.dpop"],
    [
      "a client whose ID tokens could pass for access tokens",
      { issuers: [ACME], signIn: [{ issuer: ACME.issuer, clientId: "countersign" }] },
      "signIn.0.clientId",
    ],
    ["rules without a version", { clientRules: { rules: [] } }, "clientRules"],
    ["an issuer twice", { issuers: [ACME, { ...ACME, organization: "globex" }] }, "issuers.1.issuer"],
    [
      "two issuers whose ids could meet",
      { issuers: [ACME, { ...ACME, issuer: "https://b.example" }] },
      "issuers.1.subjectPrefix",
    ],
    ["a proxy that is no network", { trustedProxies: ["10.0.0.0/8", "proxy"] }, "trustedProxies.1"],
    [
      "an agent that is no origin",
      { signatureAgents: { "https://a.example/path": { keys: [JWK] } } },
      "signatureAgents",
    ],
    ["an agent's private key", { signatureAgents: { "https://a.example": { keys: [{ ...JWK, d: "x" }] } } }, "keys.0"],
    [
      "a shared secret for an agent",
      { signatureAgents: { "https://a.example": { keys: [{ kty: "oct", k: "x" }] } } },
      "keys.0",
    ],
    [
      "a sign-in at an issuer that is not there",
      { issuers: [ACME], signIn: [{ issuer: "https://b.example", clientId: "c" }] },
      "signIn.0.issuer",
    ],
  ])("is refused with %s, which it names", (_, data, named) => {
    expect(complaintOf(data)).toMatch(/^bad identity file: /);
    expect(complaintOf(data)).toContain(named);
  });

  it("names everything that is wrong", () => {
    const complaint = complaintOf({
      issuers: [{ ...ACME, clockTolerance: -1, dpop: 7, algorithms: ["none"] }],
      trustedProxies: ["x"],
    });
    for (const named of ["clockTolerance", "dpop", "algorithms.0", "trustedProxies.0"])
      expect(complaint).toContain(named);
  });

  it("lets issuers of different organizations have people of one name", () => {
    const { issuers } = parseIdentityFile({
      issuers: [ACME, { issuer: "https://b.example", organization: "globex" }],
    });
    expect(issuers.map(({ reservedPrefixes }) => reservedPrefixes)).toEqual([[], []]);
  });
});

describe("loadIdentityFile", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), "countersign-identity-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it("reads a file, and names one that it cannot read", async () => {
    const file = path.join(directory, "identity.json");
    await expect(loadIdentityFile(file)).rejects.toThrow(file);
    await writeFile(file, "{");
    await expect(loadIdentityFile(file)).rejects.toThrow(ConfigurationError);
    await writeFile(file, JSON.stringify({ issuers: [{}] }));
    await expect(loadIdentityFile(file)).rejects.toThrow(`bad identity file ${file} (IDENTITY_FILE): issuers.0.issuer`);
    await writeFile(file, JSON.stringify({ issuers: [ACME] }));
    expect((await loadIdentityFile(file)).issuers[0]?.issuer).toBe(ACME.issuer);
  });
});
