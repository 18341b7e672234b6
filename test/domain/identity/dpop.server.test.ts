import { createHash, randomUUID } from "node:crypto";
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Authenticator, createAuthenticator } from "../../../src/domain/identity/authenticate.ts";
import type { AuthenticationError } from "../../../src/domain/identity/errors.ts";
import { createProofChecker } from "../../../src/domain/identity/tokens/dpop.ts";
import { trustIssuer } from "../../../src/domain/identity/tokens/issuers.ts";
import { createUsedOnce } from "../../../src/domain/identity/used-once.ts";
import { type Provider, startProvider } from "./provider.ts";
import { useDatabase } from "./use-database.ts";

const db = useDatabase();
const URL_OF_CALL = "https://countersign.example/graphql";

interface Holder {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
  readonly thumbprint: string;
}

async function createHolder(alg = "ES256"): Promise<Holder> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  return { privateKey, jwk, thumbprint: await calculateJwkThumbprint(jwk) };
}

let provider: Provider;
let holder: Holder;
let token: string;

beforeAll(async () => {
  provider = await startProvider();
  holder = await createHolder();
  token = await provider.sign({ cnf: { jkt: holder.thumbprint } });
});
afterAll(() => provider.stop());

interface Proving {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly by?: Holder;
  readonly token?: string;
}

async function prove({ claims = {}, header = {}, by = holder, token: of = token }: Proving = {}): Promise<string> {
  const stated = {
    jti: randomUUID(),
    htm: "POST",
    htu: URL_OF_CALL,
    iat: Math.floor(Date.now() / 1000),
    ath: createHash("sha256").update(of).digest("base64url"),
    ...claims,
  };
  const kept = Object.fromEntries(Object.entries(stated).filter(([, value]) => value !== undefined));
  return new SignJWT(kept)
    .setProtectedHeader({ alg: "ES256", typ: "dpop+jwt", jwk: by.jwk, ...header })
    .sign(by.privateKey);
}

function createBeliever(overrides: object = {}, now?: () => number): Authenticator {
  const issuers = [trustIssuer(provider.settings(overrides), { now })];
  return createAuthenticator({ issuers, now, usedOnce: createUsedOnce({ db }) });
}

const presented = (jwt: string, of = token) =>
  ({ scheme: "DPoP", token: of, proof: { jwt, method: "POST", url: URL_OF_CALL } }) as const;

async function outcomeOf(proof: string, by = createBeliever()): Promise<string> {
  return by.authenticate(presented(proof)).then(
    () => "believed",
    ({ reason }: AuthenticationError) => reason,
  );
}

describe("a token bound to a key", () => {
  it("is accepted with a proof of that key, and returns the key", async () => {
    const by = createBeliever();
    const first = await by.authenticate(presented(await prove()));
    expect(first).toMatchObject({ principal: { id: "p-1" }, key: holder.thumbprint });
    expect(await by.authenticate(presented(await prove()))).toBe(first);
  });

  it("is accepted with an EdDSA key as well", async () => {
    const by = await createHolder("EdDSA");
    const bound = await provider.sign({ cnf: { jkt: by.thumbprint } });
    const proof = await prove({ by, token: bound, header: { alg: "EdDSA" } });
    expect((await createBeliever().authenticate(presented(proof, bound))).key).toBe(by.thumbprint);
  });

  it("is refused without a proof, and as a bearer token", async () => {
    const by = createBeliever();
    await expect(by.authenticate({ scheme: "DPoP", token })).rejects.toMatchObject({ reason: "DPOP_REQUIRED" });
    await expect(by.authenticate({ scheme: "Bearer", token })).rejects.toMatchObject({
      reason: "DPOP_REQUIRED",
      principal: { id: "p-1" },
    });
  });

  it("is the only one that may come with the scheme DPoP", async () => {
    const unbound = await provider.sign();
    const proof = await prove({ token: unbound });
    await expect(createBeliever().authenticate(presented(proof, unbound))).rejects.toMatchObject({
      reason: "DPOP_INVALID",
    });
  });

  it("is the only one an issuer may be trusted to make", async () => {
    const by = createBeliever({ dpop: "required" });
    const unbound = await provider.sign();
    await expect(by.authenticate({ scheme: "Bearer", token: unbound })).rejects.toMatchObject({
      reason: "DPOP_REQUIRED",
      principal: { id: "p-1" },
    });
    expect(await outcomeOf(await prove(), by)).toBe("believed");
  });
});

const seconds = () => Math.floor(Date.now() / 1000);

describe("a proof", () => {
  it.each<readonly [string, () => Promise<Proving> | Proving]>([
    ["of another type", () => ({ header: { typ: "JWT" } })],
    ["of no type", () => ({ header: { typ: undefined } })],
    ["without its key", () => ({ header: { jwk: undefined } })],
    ["with a key that is a text", () => ({ header: { jwk: "key" } })],
    ["with a key that is none", () => ({ header: { jwk: { ...holder.jwk, x: "AAAA" } } })],
    ["with a key without a point", () => ({ header: { jwk: { kty: "EC", crv: "P-256" } } })],
    ["with a key of numbers", () => ({ header: { jwk: { kty: "EC", crv: "P-256", x: 7, y: 8 } } })],
    ["with its private key", async () => ({ header: { jwk: await exportJWK(holder.privateKey) } })],
    ["of another key", async () => ({ by: await createHolder() })],
    ["of another key in the name of the first", async () => ({ by: { ...(await createHolder()), jwk: holder.jwk } })],
    ["for another method", () => ({ claims: { htm: "GET" } })],
    ["for a method in lower case", () => ({ claims: { htm: "post" } })],
    ["for another path", () => ({ claims: { htu: "https://countersign.example/other" } })],
    ["for another host", () => ({ claims: { htu: "https://elsewhere.example/graphql" } })],
    ["for another port", () => ({ claims: { htu: "https://countersign.example:444/graphql" } })],
    ["for plain http", () => ({ claims: { htu: "http://countersign.example/graphql" } })],
    ["for no address", () => ({ claims: { htu: "graphql" } })],
    ["made too long ago", () => ({ claims: { iat: seconds() - 62 } })],
    ["made in the future", () => ({ claims: { iat: seconds() + 62 } })],
    ["made at no time", () => ({ claims: { iat: undefined } })],
    ["made at a text", () => ({ claims: { iat: String(seconds()) } })],
    ["without an id", () => ({ claims: { jti: undefined } })],
    ["with an id of 300 characters", () => ({ claims: { jti: "x".repeat(300) } })],
    ["for another token", () => ({ token: "another" })],
    ["for no token", () => ({ claims: { ath: undefined } })],
    ["that is over", () => ({ claims: { exp: seconds() - 1 } })],
    ["of 9 kB", () => ({ claims: { x: "x".repeat(9_000) } })],
  ])("%s is refused", async (_, change) => {
    expect(await outcomeOf(await prove(await change()))).toBe("DPOP_INVALID");
  });

  it.each(["", "x", "a.b.c", `${"x".repeat(9_000)}`])("%j is refused", async (jwt) => {
    expect(await outcomeOf(jwt)).toBe("DPOP_INVALID");
  });

  it("signed with a secret both sides know is refused", async () => {
    const jwk = { kty: "oct", k: "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U" };
    const proof = await new SignJWT({ jti: "1", htm: "POST", htu: URL_OF_CALL, iat: seconds() })
      .setProtectedHeader({ alg: "HS256", typ: "dpop+jwt", jwk })
      .sign(Buffer.from(jwk.k, "base64url"));
    expect(await outcomeOf(proof)).toBe("DPOP_INVALID");
  });

  it.each([
    "https://countersign.example/graphql?a=1#b",
    "HTTPS://COUNTERSIGN.example:443/graphql",
    "https://countersign.example/./x/../graphql",
  ])("for %s is for the same address", async (htu) => {
    expect(await outcomeOf(await prove({ claims: { htu } }))).toBe("believed");
  });

  it("counts once, for as long as it is young enough to come again", async () => {
    let now = Date.now();
    const by = createBeliever({}, () => now);
    const early = await prove({ claims: { iat: Math.floor(now / 1000) + 59 } });
    expect(await outcomeOf(early, by)).toBe("believed");
    for (const later of [1_000, 59_000, 58_000]) {
      now += later;
      expect(await outcomeOf(early, by)).toBe("DPOP_INVALID");
    }
  });

  it("with the id of another key's proof is another proof", async () => {
    const by = createBeliever();
    const other = await createHolder();
    const theirs = await provider.sign({ cnf: { jkt: other.thumbprint } });
    expect(await outcomeOf(await prove({ claims: { jti: "same" } }), by)).toBe("believed");
    const proof = await prove({ claims: { jti: "same" }, by: other, token: theirs });
    expect((await by.authenticate(presented(proof, theirs))).key).toBe(other.thumbprint);
    expect(await outcomeOf(await prove({ claims: { jti: "same" } }), by)).toBe("DPOP_INVALID");
  });

  it("that was shown twice at once counts once", async () => {
    const by = createBeliever();
    const proof = await prove();
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => outcomeOf(proof, by)));
    expect(outcomes.filter((outcome) => outcome === "believed")).toHaveLength(1);
  });

  it("for which there is no room to remember it is refused with another code", async () => {
    const checker = createProofChecker({ usedOnce: createUsedOnce({ db, capacity: { scope: 1, holder: 1 } }) });
    const of = { token, key: holder.thumbprint, organization: randomUUID() };
    const show = async () => checker.check({ jwt: await prove(), method: "POST", url: URL_OF_CALL }, of);
    await show();
    await expect(show()).rejects.toMatchObject({ code: "RATE_LIMITED" });
  });

  it("is refused by an authenticator that cannot remember it", async () => {
    expect(await outcomeOf(await prove(), createAuthenticator({ issuers: [trustIssuer(provider.settings())] }))).toBe(
      "DPOP_INVALID",
    );
  });
});
