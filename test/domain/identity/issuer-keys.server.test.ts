import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAuthenticator } from "../../../src/domain/identity/authenticate.ts";
import type { AuthenticationError } from "../../../src/domain/identity/errors.ts";
import { trustIssuer } from "../../../src/domain/identity/tokens/issuers.ts";
import { createLogger } from "../../../src/log.ts";
import { createKey, DISCOVERY_PATH, KEYS_PATH, type Provider, startProvider } from "./provider.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let provider: Provider;
let now: number;

beforeEach(async () => {
  provider = await startProvider();
  now = Date.now();
});
afterEach(() => provider.stop());

/** Answers "believed", or the reason why not. Tokens are made to differ, so that each of them asks for its key. */
function createVisitor(overrides: object = {}) {
  const logged: string[] = [];
  const log = createLogger("debug", { write: (line) => void logged.push(line) });
  const issuers = [trustIssuer(provider.settings(overrides), { now: () => now, log })];
  const { authenticate } = createAuthenticator({ issuers, now: () => now });
  let made = 0;
  const visit = async (signing: Parameters<Provider["sign"]>[1] = {}): Promise<string> => {
    made += 1;
    const token = await provider.sign({ jti: `t-${made}` }, { ttl: 100 * 3600, ...signing });
    const outcome = await authenticate({ scheme: "Bearer", token }).catch((error: AuthenticationError) => error);
    return "reason" in outcome ? outcome.reason : "believed";
  };
  return { visit, logged };
}

describe("an issuer's keys", () => {
  it("are found by discovery, once, however many come at first", async () => {
    const { visit } = createVisitor();
    expect(new Set(await Promise.all(Array.from({ length: 30 }, () => visit())))).toEqual(new Set(["believed"]));
    expect(provider.asked).toEqual({ discovery: 1, keys: 1 });
  });

  it("are not discovered before the first token of the issuer, nor at all when the file has their address", async () => {
    const { visit } = createVisitor({ jwksUri: provider.issuer + KEYS_PATH });
    expect(provider.asked).toEqual({ discovery: 0, keys: 0 });
    expect(await visit()).toBe("believed");
    expect(provider.asked).toEqual({ discovery: 0, keys: 1 });
  });

  it("are fetched at once when a new one signs, and what was withdrawn no longer counts", async () => {
    const { visit } = createVisitor();
    const [old] = provider.published;
    expect(await visit()).toBe("believed");
    provider.published = [await createKey("second")];
    expect(await visit()).toBe("believed");
    expect(provider.asked.keys).toBe(2);
    expect(await visit(old === undefined ? {} : { key: old })).toBe("UNKNOWN_KEY");
  });

  it("are fetched again when they are old, so that a withdrawn key is not accepted for ever", async () => {
    const { visit } = createVisitor();
    const [old] = provider.published;
    await visit();
    provider.published = [];
    now += 9 * MINUTE;
    expect(await visit(old === undefined ? {} : { key: old })).toBe("believed");
    now += 2 * MINUTE;
    expect(await visit(old === undefined ? {} : { key: old })).toBe("UNKNOWN_KEY");
  });

  it("that may not be old are fetched again before they are, while the issuer is there", async () => {
    const { visit } = createVisitor({ jwksMaxStale: 120 });
    for (let at = 0; at < 6; at++) {
      expect(await visit()).toBe("believed");
      now += MINUTE;
    }
    await provider.stop();
    now += 3 * MINUTE;
    expect(await visit()).toBe("KEYS_UNAVAILABLE");
  });

  it("are not fetched for every unknown key id", async () => {
    const { visit } = createVisitor();
    await visit();
    const made = await createKey("made-up");
    for (let at = 0; at < 50; at++) {
      expect(await visit({ key: made, header: { kid: `made-up-${at}` } })).toBe("UNKNOWN_KEY");
    }
    expect(provider.asked.keys).toBe(4);
    expect(await visit()).toBe("believed");
    provider.published = [await createKey("third")];
    now += 10_000;
    expect(await visit()).toBe("believed");
    expect(provider.asked.keys).toBe(5);
  });

  it("that cannot be fetched at first lead to refusals, and are not fetched again immediately", async () => {
    await provider.stop();
    const { visit, logged } = createVisitor();
    for (let at = 0; at < 5; at++) expect(await visit()).toBe("KEYS_UNAVAILABLE");
    expect(logged.filter((line) => line.includes('"level":"warn"'))).toHaveLength(1);
    await provider.start();
    expect(await visit()).toBe("KEYS_UNAVAILABLE");
    now += 5_000;
    expect(await visit()).toBe("believed");
  });

  it("go on while they cannot be fetched, until they are too old", async () => {
    const { visit, logged } = createVisitor({ jwksMaxStale: 2 * 3600 });
    expect(await visit()).toBe("believed");
    await provider.stop();
    now += HOUR;
    for (let at = 0; at < 5; at++) expect(await visit()).toBe("believed");
    // Whether a key nobody knows is a new one cannot be told.
    expect(await visit({ key: await createKey("second") })).toBe("KEYS_UNAVAILABLE");
    now += HOUR + 1;
    expect(await visit()).toBe("KEYS_UNAVAILABLE");
    expect(logged.filter((line) => line.includes('"level":"warn"'))).toHaveLength(2);
    await provider.start();
    now += 5_000;
    expect(await visit()).toBe("believed");
  });

  it("go on for a day when nothing else is said", async () => {
    const { visit } = createVisitor();
    await visit();
    await provider.stop();
    now += 24 * HOUR;
    expect(await visit()).toBe("believed");
    now += 1;
    expect(await visit()).toBe("KEYS_UNAVAILABLE");
  });

  it("that are remembered with a token go the same way", async () => {
    const issuers = [trustIssuer(provider.settings({ jwksMaxStale: 3600 }), { now: () => now })];
    const { authenticate } = createAuthenticator({ issuers, now: () => now });
    const token = await provider.sign({}, { ttl: 100 * 3600 });
    const first = await authenticate({ scheme: "Bearer", token });
    await provider.stop();
    now += HOUR;
    expect(await authenticate({ scheme: "Bearer", token })).toBe(first);
    now += MINUTE;
    await expect(authenticate({ scheme: "Bearer", token })).rejects.toMatchObject({ reason: "KEYS_UNAVAILABLE" });
  });

  const elsewhere = JSON.stringify({ issuer: "https://elsewhere.example", jwks_uri: "https://elsewhere.example/keys" });
  it.each<readonly [string, string, number, string]>([
    ["a discovery document of another issuer", DISCOVERY_PATH, 200, elsewhere],
    [
      "a discovery document with keys at plain http",
      DISCOVERY_PATH,
      200,
      '{"issuer":"ISSUER","jwks_uri":"http://elsewhere.example/keys"}',
    ],
    ["a discovery document without keys", DISCOVERY_PATH, 200, '{"issuer":"ISSUER"}'],
    ["a discovery document that is no JSON", DISCOVERY_PATH, 200, "<html>"],
    ["a discovery document that is not there", DISCOVERY_PATH, 404, ""],
    ["a redirect from the discovery document", DISCOVERY_PATH, 302, ""],
    ["a redirect from the keys", KEYS_PATH, 302, ""],
    ["an error in place of keys", KEYS_PATH, 500, '{"keys":[]}'],
    ["keys that are no key set", KEYS_PATH, 200, '{"keys":{}}'],
    ["keys that are no JSON", KEYS_PATH, 200, "{"],
    ["keys without an end", KEYS_PATH, 200, `{"keys":[],"x":"${"x".repeat(600_000)}"}`],
  ])("are not accepted from %s", async (_, path, status, body) => {
    const location = provider.issuer + KEYS_PATH;
    provider.answers.set(path, (response) => {
      response.writeHead(status, status === 302 ? { location } : {}).end(body.replace("ISSUER", provider.issuer));
    });
    const { visit } = createVisitor();
    expect(await visit()).toBe("KEYS_UNAVAILABLE");
    provider.answers.clear();
    now += 5_000;
    expect(await visit()).toBe("believed");
  });

  it("of another purpose, or ambiguous without a key id, verify nothing", async () => {
    const [key] = provider.published;
    if (key === undefined) throw new Error("no key");
    const publish = (...keys: readonly object[]) =>
      provider.answers.set(KEYS_PATH, (response) => void response.end(JSON.stringify({ keys })));
    publish({ ...key.jwk, use: "enc" });
    expect(await createVisitor().visit()).toBe("UNKNOWN_KEY");
    publish({ ...key.jwk, alg: "ES384" });
    expect(await createVisitor().visit()).toBe("UNKNOWN_KEY");
    publish({ kty: "oct", kid: key.kid, k: "c2VjcmV0" });
    expect(await createVisitor().visit({ header: { kid: key.kid } })).toBe("UNKNOWN_KEY");
    publish({ ...key.jwk, x: "AAAA" });
    expect(await createVisitor().visit()).toBe("UNKNOWN_KEY");
    publish(key.jwk, (await createKey(key.kid)).jwk);
    expect(await createVisitor().visit()).toBe("BAD_TOKEN");
  });

  it("do not delay calls while older keys are usable, once their issuer is known to stall", async () => {
    const { visit } = createVisitor();
    expect(await visit()).toBe("believed");
    provider.answers.set(KEYS_PATH, (response) => void response.destroy());
    now += HOUR;
    expect(await visit()).toBe("believed");
    provider.answers.set(KEYS_PATH, (response) => void response.write('{"keys":['));
    now += MINUTE;
    const started = performance.now();
    expect(await visit()).toBe("believed");
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it("come within five seconds or not at all", async () => {
    provider.answers.set(KEYS_PATH, (response) => void response.write('{"keys":['));
    const { visit } = createVisitor();
    const started = performance.now();
    expect(await visit()).toBe("KEYS_UNAVAILABLE");
    expect(performance.now() - started).toBeGreaterThan(4_000);
    expect(performance.now() - started).toBeLessThan(9_000);
  });
});
