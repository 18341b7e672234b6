import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuthenticator } from "../../src/domain/identity/authenticate.ts";
import type { AuthenticationError } from "../../src/domain/identity/errors.ts";
import { parseIdentityFile } from "../../src/domain/identity/identity-file.ts";
import { trustIssuer } from "../../src/domain/identity/tokens/issuers.ts";
import type { App } from "../support/app.ts";
import { ask, bearer, type Company, codesOf, startCompany } from "../support/company.ts";

let company: Company;
let app: App;

beforeAll(async () => {
  company = await startCompany();
  app = company.apps[0] as App;
});

afterAll(async () => {
  await company?.close();
});

const call = async (token: string, at = app) => codesOf(await ask(at, bearer(token), "{ viewer { id } }"));

describe("keys that change while the server runs", () => {
  it("are accepted immediately, and the earlier ones for as long as they are published", async () => {
    const before = await company.person("ada");
    expect(await call(before)).toEqual([]);
    const unseen = await company.person("ben");
    const asked = company.provider.keyRequests();

    await company.provider.rotate({ keep: true });
    const [fresh, another] = [await company.person("max"), await company.person("tom")];
    expect(await call(fresh)).toEqual([]);
    expect(await call(unseen), "signed before, presented after").toEqual([]);
    expect(await call(another)).toEqual([]);
    expect(company.provider.keyRequests() - asked, "one look for one new key").toBe(1);

    const withdrawn = await company.person("audra");
    await company.provider.rotate({ keep: false });
    expect(await call(await company.person("root"))).toEqual([]);
    expect(await call(withdrawn), "its key is published no more").toEqual(["UNAUTHENTICATED"]);
  });
});

describe("a provider that is down", () => {
  it("does not affect tokens with known keys; a server without keys refuses all tokens until the issuer is available", async () => {
    const [known, unseen] = [await company.person("ada"), await company.person("ben")];
    expect(await call(known)).toEqual([]);
    await company.provider.stop();
    const second = await company.start();
    try {
      expect(await call(known)).toEqual([]);
      expect(await call(unseen)).toEqual([]);
      expect(await call(known, second)).toEqual(["UNAUTHENTICATED"]);
    } finally {
      await company.provider.resume();
    }
    await expect.poll(() => call(known, second), { timeout: 20_000, interval: 250 }).toEqual([]);
  });

  it("is not trusted for ever: when its keys are too old, its tokens are refused, cached or not", async () => {
    const { issuer } = company.provider;
    const { issuers } = parseIdentityFile({ issuers: [{ issuer, organization: "acme", jwksMaxStale: 1800 }] });
    let now = Date.now();
    const authenticator = createAuthenticator({
      issuers: issuers.map((one) => trustIssuer(one, { now: () => now })),
      now: () => now,
    });
    const reasonOf = async (token: string) =>
      authenticator.authenticate({ scheme: "Bearer", token }).then(
        () => "believed",
        (error: AuthenticationError) => error.reason,
      );
    const [known, unseen, unseenLater] = await Promise.all([
      company.person("ada"),
      company.person("ben"),
      company.person("max"),
    ]);
    expect(await reasonOf(known)).toBe("believed");
    await company.provider.stop();
    try {
      now += 1_700_000;
      expect([await reasonOf(known), await reasonOf(unseen)]).toEqual(["believed", "believed"]);
      now += 200_000;
      // Having been believed before makes keys no younger.
      expect([await reasonOf(unseenLater), await reasonOf(known)]).toEqual(["KEYS_UNAVAILABLE", "KEYS_UNAVAILABLE"]);
    } finally {
      await company.provider.resume();
    }
    now += 10_000;
    expect([await reasonOf(known), await reasonOf(unseenLater)]).toEqual(["believed", "believed"]);
  });
});
