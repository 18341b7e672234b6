import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { exitCodes } from "../../src/cli/exit.ts";
import { loadKeys } from "../../src/domain/identity/keys.ts";
import { waitUntil } from "../support/wait.ts";
import { countersign, root } from "./run.ts";
import { type Serving, startServing } from "./serving.ts";

let serving: Serving;
beforeAll(async () => {
  serving = await startServing();
});
afterAll(() => serving?.close());

const run = (...args: readonly string[]) => countersign(args, serving.environment);
const inData = (name: string) => path.join(serving.dataDir, name);
const jwks = z.object({
  keys: z.array(z.looseObject({ kid: z.string(), purpose: z.string(), exp: z.number().optional() })),
});

/** Actions of agents, whose proposals, approvals and grants are signed. */
async function work(): Promise<void> {
  const traces = inData("traces.jsonl");
  const [first = ""] = (await readFile(path.join(root, "clients/demo/airline.jsonl"), "utf8")).split("\n");
  await writeFile(traces, first);
  const { code, stderr } = await run("replay", traces);
  expect(stderr).not.toContain("countersign:");
  expect(code).toBe(exitCodes.OK);
}

const exported = async () => {
  const { code, stdout } = await run("keys", "export");
  expect(code).toBe(exitCodes.OK);
  return stdout;
};
const verify = (...args: readonly string[]) => run("verify", "--database-url", ...args);

it("exports public keys that verify the ledger anywhere, and rotates what a running server signs with", async () => {
  await work();
  const before = await exported();
  expect(before).not.toContain('"d"');
  await writeFile(inData("before.jwks"), before);
  // Nothing of the installation is needed but the keys.
  const elsewhere = { ...serving.environment, DATA_DIR: inData("elsewhere"), SIGNING_KEY_FILE: inData("none.json") };
  const audit = await countersign(["verify", "--database-url", "--keys", inData("before.jwks")], elsewhere);
  expect(audit.stdout).toMatch(/^INTACT/);

  // A file that cannot be used for a while is said once, and does not keep the server from using the next one.
  const unusable = () => serving.said().split("the key file changed and cannot be used").length - 1;
  const good = await readFile(inData("keys.json"));
  await writeFile(inData("keys.json"), "{");
  await waitUntil(() => unusable() === 1);
  await writeFile(inData("keys.json"), good);

  const { facts } = await loadKeys(inData("keys.json"));
  const rotated = await run("keys", "rotate");
  expect(rotated.stdout).toContain(`${facts.signing.kid} is valid for what is recorded until`);
  expect(rotated.code).toBe(exitCodes.OK);
  await waitUntil(() => serving.said().includes("facts are signed with a new key"));
  expect(unusable()).toBe(1);
  await work();

  const { keys } = jwks.parse(JSON.parse(await exported()));
  expect(keys).toHaveLength(2);
  expect(keys[1]).toMatchObject({ kid: facts.signing.kid, exp: expect.any(Number) });
  expect(rotated.stdout).toContain(`facts are signed with ${keys[0]?.kid}`);
  expect((await verify()).stdout).toMatch(/^INTACT/);
  expect((await run("verify")).stdout).toMatch(/^INTACT/);
  // Those exported before lack the new key.
  const old = await verify("--keys", inData("before.jwks"));
  expect(old.stdout).toMatch(/^BAD_SIGNATURE/);
  expect(old.stdout).toContain(`by key ${keys[0]?.kid}, which is not known`);
  expect(old.code).toBe(exitCodes.FAILED);
});

describe("keys", () => {
  it.each([
    [["keys"], "Usage: countersign keys"],
    [["keys", "rotate", "--grace", "-1"], "whole number"],
    [["keys", "rotate", "--data-dir", "/nowhere"], "start the server first"],
    [["keys", "export", "--data-dir", "/nowhere"], "start the server first"],
    [["verify", "--database-url", "--data-dir", "/nowhere"], "no keys at"],
    [["verify", "--database-url", "--keys", "/nowhere"], "does not exist"],
    [["verify", "--database-url", "--keys", "package.json"], "holds no key of purpose facts"],
  ])("%j ends with 2 and prints why", async (args, message) => {
    const { code, stdout, stderr } = await run(...args);
    expect(stderr).toContain(message);
    expect(stdout).toBe("");
    expect(code).toBe(exitCodes.USAGE);
  });
});
