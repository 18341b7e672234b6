import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { makeDataDir } from "../support/server.ts";
import { waitUntil } from "../support/wait.ts";
import { countersign, start } from "./run.ts";

let dataDir: string;
beforeAll(async () => {
  dataDir = await makeDataDir();
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

const commands = ["verify", "export"] as const;

async function serveAndStop(): Promise<void> {
  const child = start(["serve", "--port", "0"], { DATA_DIR: dataDir });
  const ended = once(child, "exit");
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stdout?.resume();
  await waitUntil(() => said.includes("Countersign serves") || child.exitCode !== null);
  child.kill("SIGTERM");
  await ended;
}

async function expectNoServer(command: string): Promise<void> {
  const { code, stdout, stderr } = await countersign([command, "--database-url"], { DATA_DIR: dataDir });
  expect(stderr).toContain(`no server runs on data directory ${dataDir}`);
  expect(stdout).toBe("");
  expect(code).toBe(exitCodes.UNREACHABLE);
}

describe("a database that is not there", () => {
  it.each(commands)("%s names the option in a directory where no server ever ran", async (command) => {
    const { code, stderr } = await countersign([command, "--database-url"], { DATA_DIR: dataDir });
    expect(stderr).toContain("no database given");
    expect(code).toBe(exitCodes.USAGE);
  });

  it("is distinguished from a failure when its server has stopped", async () => {
    await serveAndStop();
    for (const command of commands) await expectNoServer(command);
    // What a power cut leaves: a record of a database that is no longer there.
    const file = path.join(dataDir, "postgres.json");
    const record: unknown = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, JSON.stringify({ ...Object(record), pid: 1, owner: 1 }));
    for (const command of commands) await expectNoServer(command);
  });

  it("is not verified without keys, which are not in it", async () => {
    const { code, stderr } = await countersign(["verify", "--database-url", "postgres://me:secret@127.0.0.1:1/db"]);
    expect(stderr).toContain("no keys for this database: pass --keys");
    expect(code).toBe(exitCodes.USAGE);
  });

  it("is not even connected to when the file of keys is not there", async () => {
    const args = ["verify", "--database-url", "postgres://me:secret@127.0.0.1:1/db", "--keys", "/nowhere"];
    const { code, stderr } = await countersign(args);
    expect(stderr).toContain("does not exist");
    expect(code).toBe(exitCodes.USAGE);
  });

  it.each(commands)("%s names an unreachable address, without its password", async (command) => {
    const more = command === "verify" ? ["--data-dir", dataDir] : [];
    const address = "postgres://me:secret@127.0.0.1:1/db";
    const { code, stderr } = await countersign([command, "--database-url", address, ...more]);
    expect(stderr).toContain("127.0.0.1:1 cannot be reached (ECONNREFUSED)");
    expect(stderr).not.toContain("secret");
    expect(code).toBe(exitCodes.UNREACHABLE);
  });
});
