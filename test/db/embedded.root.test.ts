import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { chooseAccount, commandAs } from "../../src/db/embedded/account.ts";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { silent } from "../support/log.ts";
import { makeDataDir, withClient } from "../support/server.ts";

const endings: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** A directory that only root may enter. */
async function closedDirectory(): Promise<string> {
  const directory = await makeDataDir();
  endings.push(() => rm(directory, { recursive: true, force: true }));
  await chmod(directory, 0o700);
  return directory;
}

describe("startEmbeddedPostgres, for root", () => {
  it("runs below a directory that only root may enter, as another user", async () => {
    const closed = await closedDirectory();
    const postgres = await startEmbeddedPostgres({
      dataDir: join(closed, "data"),
      log: silent,
      settings: { fsync: "off" },
    });
    endings.push(() => postgres.stop());
    const { url, pid } = postgres;
    await withClient(url, (client) => client.query("CREATE TABLE kept AS SELECT 'still here' AS word"));
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    expect(/^Uid:\t(\d+)/m.exec(status)?.[1]).not.toBe("0");
  });

  it("finds its own programs in a directory that only root may enter", async () => {
    const closed = await closedDirectory();
    const file = join(closed, "program");
    await writeFile(file, "", { mode: 0o755 });
    const account = await chooseAccount([file]);
    expect(account?.passesPermissions).toBe(true);
    // access(2), as initdb asks; a shell's test asks otherwise.
    const ask = ["-e", "require('node:fs').accessSync(process.argv[1], 1)", file];
    const { program, args, identity } = commandAs(account, process.execPath, ask);
    const child = spawn(program, args, { ...identity, cwd: "/", stdio: "ignore" });
    expect((await once(child, "exit"))[0]).toBe(0);
  });
});
