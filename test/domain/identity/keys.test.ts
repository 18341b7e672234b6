import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Keys, loadKeys, publicJwks, rotateFactKey } from "../../../src/domain/identity/keys.ts";
import { ConfigurationError } from "../../../src/errors.ts";

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "countersign-keys-"));
  file = path.join(directory, "keys.json");
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const fresh = () => generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
const SHORT = { kty: "OKP", crv: "Ed25519", x: "abc", d: "c2VjcmV0LXNlY3JldA" };
const one = fresh();
const text = (changes: object) =>
  JSON.stringify({ grants: fresh(), issuer: fresh(), facts: fresh(), retired: [], ...changes });
const retired = ({ d: _private, ...publicHalf }: JsonWebKey) => ({ ...publicHalf, exp: 1_790_000_000 });

describe("the key file of an installation", () => {
  it("is made once, for its owner alone, by however many ask at once", async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => loadKeys(file)));
    const kids = ({ grants, issuer, facts }: Keys) => `${grants.kid} ${issuer.kid} ${facts.signing.kid}`;
    expect(new Set(all.map(kids)).size).toBe(1);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(file, "utf8"))).toHaveProperty("grants.d");
  });

  it.each<readonly [string, string]>([
    ["is empty", ""],
    ["is no JSON", '{"grants": {"d": "c2VjcmV0LXNlY3JldA" x'],
    ["is something else", "[]"],
    ["lacks a key", JSON.stringify({ grants: fresh(), issuer: fresh() })],
    ["holds one key twice", text({ issuer: one, grants: one })],
    ["holds the key of facts twice", text({ issuer: one, facts: one })],
    ["holds a retired key that is used for something else", text({ issuer: one, retired: [retired(one)] })],
    ["holds a retired key without its end", text({ retired: [{ ...retired(one), exp: undefined }] })],
    ["holds the private half of a retired key", text({ retired: [{ ...one, exp: 1 }] })],
    ["holds a key that is too short", text({ facts: SHORT })],
    ["holds two halves of different keys", text({ facts: { ...fresh(), x: fresh().x } })],
  ])("is refused by name when it %s, without its content", async (_, content) => {
    await writeFile(file, content);
    const error = await loadKeys(file).then(
      () => undefined,
      (refusal: unknown) => refusal,
    );
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as ConfigurationError).message).toContain(file);
    expect((error as ConfigurationError).message).not.toContain("c2VjcmV0");
    expect(await readFile(file, "utf8")).toBe(content);
  });

  it("keeps the public half of a key that was rotated, until when it is valid, and all others", async () => {
    const before = await loadKeys(file);
    const began = Math.floor(Date.now() / 1000);
    const [now, old] = await rotateFactKey(file, 60);
    const after = await loadKeys(file);
    expect([after.grants.kid, after.issuer.kid]).toEqual([before.grants.kid, before.issuer.kid]);
    expect(after.secret("test")).toEqual(before.secret("test"));
    expect(after.facts.signing.kid).toBe(now.kid);
    expect(after.facts.published).toEqual([now, old]);
    expect(old.kid).toBe(before.facts.signing.kid);
    expect((old.exp ?? 0) - began).toBeOneOf([60, 61, 62]);
    expect(now.exp).toBeUndefined();
    const stored = await readFile(file, "utf8");
    expect(stored.match(/"d":/g)).toHaveLength(3);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const purposes = publicJwks(after).keys.map(({ purpose }) => purpose);
    expect(purposes).toEqual(["grants", "tokens", "facts", "facts"]);
  });

  it("loses no key to several who rotate at once", async () => {
    const { facts } = await loadKeys(file);
    const rotated = await Promise.all(Array.from({ length: 4 }, () => rotateFactKey(file, 60)));
    const { published } = (await loadKeys(file)).facts;
    const made = [facts.signing.kid, ...rotated.map(([now]) => now.kid)];
    expect(published.map(({ kid }) => kid).sort()).toEqual(made.sort());
  });
});
