import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Authenticator, createAuthenticator, MAX_TOKEN } from "../../../src/domain/identity/authenticate.ts";
import { AuthenticationError } from "../../../src/domain/identity/errors.ts";
import { trustIssuer } from "../../../src/domain/identity/tokens/issuers.ts";
import { BAD_TOKENS, INVISIBLE_TOKENS } from "./bad-tokens.ts";
import { type Provider, startProvider } from "./provider.ts";

let provider: Provider;

beforeAll(async () => {
  provider = await startProvider();
});
afterAll(() => provider.stop());

/** A new one each time, so that no test is answered from what another left behind. */
function authenticator(overrides: object = {}, now?: () => number): Authenticator {
  return createAuthenticator({ issuers: [trustIssuer(provider.settings(overrides), { now })], now });
}

async function refusalOf(token: string, by = authenticator()): Promise<AuthenticationError> {
  const outcome = await by.authenticate({ scheme: "Bearer", token }).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(AuthenticationError);
  return outcome as AuthenticationError;
}

describe("a provider's token", () => {
  it("is accepted, for the organization its issuer is mapped to", async () => {
    const token = await provider.sign({
      org: "globex",
      organization: "globex",
      name: "Änne Öztürk",
      email: "a@acme.example",
      groups: ["finance"],
      client_id: "console",
      jti: "t-1",
      amr: ["pwd"],
    });
    expect(await authenticator().authenticate({ scheme: "Bearer", token })).toEqual({
      principal: {
        id: "p-1",
        kind: "HUMAN",
        organization: "acme",
        displayName: "Änne Öztürk",
        email: "a@acme.example",
        roles: ["approver"],
        groups: ["finance"],
      },
      issuer: provider.issuer,
      expiresAt: expect.any(Number),
      tokenId: "t-1",
      clientId: "console",
      method: "password",
      assurance: "SESSION",
    });
  });

  it.each(["at+jwt", "application/at+jwt", "AT+JWT", "JWT", "jwt"])("may have the type %s", async (typ) => {
    const token = await provider.sign({}, { header: { typ } });
    expect((await authenticator().authenticate({ scheme: "Bearer", token })).principal.id).toBe("p-1");
  });

  it("must be an access token by its type where the issuer promises that", async () => {
    const token = await provider.sign({}, { header: { typ: "JWT" } });
    expect((await refusalOf(token, authenticator({ tokenTypes: ["at+jwt"] }))).reason).toBe("BAD_TOKEN");
  });

  it.each([...BAD_TOKENS, ...INVISIBLE_TOKENS])("is refused $name", async ({ make, reason, names }) => {
    const token = await make(provider);
    const error = await refusalOf(token);
    expect(error.reason).toBe(reason);
    expect(error.code).toBe("UNAUTHENTICATED");
    expect(error.principal?.id).toBe(names === true ? "p-1" : undefined);
    const said = `${inspect(error, { depth: 9, showHidden: true })}${error.stack}`;
    for (const part of token.split(".").filter(({ length }) => length > 20)) expect(said).not.toContain(part);
  });

  it("is refused unseen when it is long, however long", async () => {
    for (const token of ["x".repeat(MAX_TOKEN + 1), "x".repeat(1_000_000), `${"a.".repeat(500_000)}a`]) {
      const started = performance.now();
      expect((await refusalOf(token)).reason).toBe("BAD_TOKEN");
      expect(performance.now() - started).toBeLessThan(100);
    }
  });

  it("counts for as long as the issuer's clock may be off, and no longer", async () => {
    let now = Date.now();
    const believer = authenticator({ clockTolerance: 5 }, () => now);
    const token = await provider.sign({}, { ttl: 60 });
    const { expiresAt } = await believer.authenticate({ scheme: "Bearer", token });
    now = expiresAt * 1000 - 1;
    const late = await provider.sign({ jti: "late" }, { ttl: 60 });
    expect((await believer.authenticate({ scheme: "Bearer", token })).expiresAt).toBe(expiresAt);
    expect((await believer.authenticate({ scheme: "Bearer", token: late })).expiresAt).toBeGreaterThanOrEqual(
      expiresAt,
    );
    now = expiresAt * 1000;
    expect(await refusalOf(token, believer)).toMatchObject({ reason: "TOKEN_EXPIRED", principal: { id: "p-1" } });
    expect((await refusalOf(token, believer)).reason).toBe("TOKEN_EXPIRED");
  });

  it("is verified once when it comes many times at once, and stays one object", async () => {
    let now = Date.now();
    const believer = authenticator({}, () => now);
    const token = await provider.sign({}, { ttl: 7200 });
    const all = await Promise.all(Array.from({ length: 20 }, () => believer.authenticate({ scheme: "Bearer", token })));
    expect(new Set(all).size).toBe(1);
    now += 15 * 60_000;
    expect(await believer.authenticate({ scheme: "Bearer", token })).toBe(all[0]);
  });

  it("that was accepted is refused once its key was withdrawn", async () => {
    let now = Date.now();
    const other = await startProvider();
    const issuers = [trustIssuer(other.settings(), { now: () => now })];
    const believer = createAuthenticator({ issuers, now: () => now });
    const sign = () => other.sign({}, { ttl: 7200 });
    await believer.authenticate({ scheme: "Bearer", token: await sign() });
    now += 9 * 60_000;
    // Verified with keys that are about to be looked for again: remembering it must not add to their age.
    const token = await sign();
    await believer.authenticate({ scheme: "Bearer", token });
    other.published = [];
    now += 2 * 60_000;
    expect((await refusalOf(token, believer)).reason).toBe("UNKNOWN_KEY");
    await other.stop();
  });

  it("that is bad is refused again without a look, unless time makes it good", async () => {
    let now = Date.now();
    const believer = authenticator({}, () => now);
    const early = await provider.sign({ nbf: Math.floor(now / 1000) + 60 });
    expect((await refusalOf(early, believer)).reason).toBe("TOKEN_NOT_YET_VALID");
    now += 61_000;
    expect((await believer.authenticate({ scheme: "Bearer", token: early })).principal.id).toBe("p-1");
    const bad = await provider.sign({ roles: "admin" });
    const errors = await Promise.all([refusalOf(bad, believer), refusalOf(bad, believer)]);
    const again = await refusalOf(bad, believer);
    expect([...errors, again].map(({ reason }) => reason)).toEqual(["BAD_CLAIMS", "BAD_CLAIMS", "BAD_CLAIMS"]);
    expect(again).not.toBe(errors[0]);
    expect(again.message).toContain("roles");
  });
});

describe("several issuers", () => {
  it("are separate, each with its own organization, audience and keys", async () => {
    const other = await startProvider();
    const both = createAuthenticator({
      issuers: [
        trustIssuer(provider.settings()),
        trustIssuer(other.settings({ organization: "globex", audience: ["api-a", "api-b"], subjectPrefix: "gx|" })),
      ],
    });
    const ours = await both.authenticate({ scheme: "Bearer", token: await provider.sign() });
    const theirs = await both.authenticate({ scheme: "Bearer", token: await other.sign({ aud: "api-b" }) });
    expect([ours.principal.organization, ours.principal.id]).toEqual(["acme", "p-1"]);
    expect([theirs.principal.organization, theirs.principal.id]).toEqual(["globex", "gx|p-1"]);
    // The other's key, under the name and the key id of the first.
    const forged = await other.sign({ iss: provider.issuer });
    expect((await refusalOf(forged, both)).reason).toBe("BAD_SIGNATURE");
    expect((await refusalOf(await other.sign({ aud: "countersign" }), both)).reason).toBe("WRONG_AUDIENCE");
    await other.stop();
  });
});
