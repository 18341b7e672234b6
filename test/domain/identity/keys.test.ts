import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadKeys } from "../../../src/domain/identity/keys.ts";
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

describe("the key file of an installation", () => {
  it("is made once, for its owner alone, by however many ask at once", async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => loadKeys(file)));
    expect(new Set(all.map(({ grants, issuer }) => `${grants.kid} ${issuer.kid}`)).size).toBe(1);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(file, "utf8"))).toHaveProperty("grants.d");
  });

  it.each<readonly [string, string]>([
    ["is empty", ""],
    ["is no JSON", '{"grants": {"d": "c2VjcmV0LXNlY3JldA" x'],
    ["is something else", "[]"],
    ["lacks a key", JSON.stringify({ grants: fresh() })],
    ["holds one key twice", JSON.stringify({ grants: one, issuer: one })],
    ["holds a key that is too short", JSON.stringify({ grants: SHORT, issuer: fresh() })],
    ["holds two halves of different keys", JSON.stringify({ grants: fresh(), issuer: { ...fresh(), x: fresh().x } })],
  ])("is refused by name when it %s, without its content", async (_, text) => {
    await writeFile(file, text);
    const error = await loadKeys(file).then(
      () => undefined,
      (refusal: unknown) => refusal,
    );
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as ConfigurationError).message).toContain(file);
    expect((error as ConfigurationError).message).not.toContain("c2VjcmV0");
    expect(await readFile(file, "utf8")).toBe(text);
  });
});
