import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { assertReachable, chooseAccount, commandAs } from "../../src/db/embedded/account.ts";
import { commandLine, waitForDeath } from "../../src/db/embedded/process.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { recordingLog, silent } from "../support/log.ts";
import { makeDataDir, withClient } from "../support/server.ts";
import { waitUntil } from "../support/wait.ts";

const settings = { fsync: "off" };
const endings: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function dataDirectory(): Promise<string> {
  const dataDir = await makeDataDir();
  endings.push(() => rm(dataDir, { recursive: true, force: true }));
  return dataDir;
}

async function start(dataDir: string, options: { onRestart?: () => void } = {}): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir, log: silent, settings, ...options });
  endings.push(() => postgres.stop());
  return postgres;
}

interface Report {
  readonly url: string;
  readonly pid: number;
  readonly refused?: string;
}

/** Another process that starts the database, and what it reports. */
async function startElsewhere(dataDir: string): Promise<{ child: ChildProcess; report: Report }> {
  const child = fork(new URL("../support/embedded-server.ts", import.meta.url), [dataDir], { execArgv: [] });
  endings.push(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  });
  const [report] = await once(child, "message");
  return { child, report };
}

const write = (url: string) =>
  withClient(url, (client) => client.query("CREATE TABLE kept AS SELECT 'still here' AS word"));
const read = (url: string) =>
  withClient(url, async (client) => (await client.query<{ word: string }>("SELECT word FROM kept")).rows[0]?.word);

describe("startEmbeddedPostgres", () => {
  it("runs PostgreSQL 18 on loopback alone, durable and checked", async () => {
    const dataDir = await dataDirectory();
    // Without the settings of the other tests: what an operator gets.
    const postgres = await startEmbeddedPostgres({ dataDir, log: silent });
    endings.push(() => postgres.stop());
    const shown = await withClient(postgres.url, async (client) => {
      const { rows } = await client.query<{ name: string; setting: string }>(
        `SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes',
           'data_checksums', 'listen_addresses', 'unix_socket_directories', 'password_encryption')`,
      );
      const database = await client.query(
        `SELECT current_database() AS name, pg_encoding_to_char(encoding) AS encoding, datlocprovider AS provider,
                datlocale AS locale, current_setting('server_version_num')::int / 10000 AS version
           FROM pg_database WHERE datname = current_database()`,
      );
      return { ...Object.fromEntries(rows.map(({ name, setting }) => [name, setting])), ...database.rows[0] };
    });
    expect(shown).toEqual({
      fsync: "on",
      synchronous_commit: "on",
      full_page_writes: "on",
      data_checksums: "on",
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      password_encryption: "scram-sha-256",
      name: "countersign",
      encoding: "UTF8",
      provider: "b",
      locale: "C.UTF-8",
      version: 18,
    });
    expect((await stat(join(dataDir, "postgres.json"))).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(join(dataDir, "postgres.json"), "utf8"))).toMatchObject({
      url: postgres.url,
      pid: postgres.pid,
      owner: process.pid,
    });
  });

  it("refuses a connection without the password", async () => {
    const postgres = await start(await dataDirectory());
    const guess = new URL(postgres.url);
    guess.password = "postgres";
    await expect(withClient(guess.href, (client) => client.query("SELECT 1"))).rejects.toMatchObject({ code: "28P01" });
  });

  it("stops, and comes back with its data at the same address", async () => {
    const dataDir = await dataDirectory();
    const first = await start(dataDir);
    await write(first.url);
    await first.stop();
    await first.stop();
    expect(await commandLine(first.pid)).toBeUndefined();
    const second = await start(dataDir);
    expect(second.url).toBe(first.url);
    expect(await read(second.url)).toBe("still here");
  });

  it("starts the database again when it is killed", async () => {
    let restarts = 0;
    const postgres = await start(await dataDirectory(), {
      onRestart() {
        restarts += 1;
      },
    });
    await write(postgres.url);
    for (const round of [1, 2]) {
      const killed = postgres.pid;
      process.kill(killed, "SIGKILL");
      await waitUntil(() => restarts === round);
      expect(postgres.pid).not.toBe(killed);
      expect(await read(postgres.url)).toBe("still here");
    }
  });

  it("does not wait for a backend that computes on after its server was killed", async () => {
    let restarts = 0;
    const postgres = await start(await dataDirectory(), {
      onRestart() {
        restarts += 1;
      },
    });
    await withClient(postgres.url, async (client) => {
      client.on("error", () => undefined);
      const endless = client.query(
        "SELECT count(sqrt(a * b)) FROM generate_series(1, 1e6) a, generate_series(1, 1e6) b",
      );
      const lost = expect(endless).rejects.toThrow();
      await waitUntil(() =>
        withClient(postgres.url, async (other) => {
          const busy = "SELECT FROM pg_stat_activity WHERE query LIKE '%sqrt%' AND pid <> pg_backend_pid()";
          return (await other.query(busy)).rowCount === 1;
        }),
      );
      process.kill(postgres.pid, "SIGKILL");
      await waitUntil(() => restarts === 1);
      await lost;
    });
  });

  it("stops cleanly while it is starting the database again", async () => {
    const dataDir = await dataDirectory();
    const log = recordingLog();
    const postgres = await startEmbeddedPostgres({ dataDir, log, settings });
    await write(postgres.url);
    process.kill(postgres.pid, "SIGKILL");
    await waitUntil(() => log.messages.includes("the built-in PostgreSQL died, starting it again"));
    await postgres.stop();
    expect(await commandLine(postgres.pid)).toBeUndefined();
    expect(await read((await start(dataDir)).url)).toBe("still here");
  });

  it("refuses a data directory that another server uses, and names it", async () => {
    const dataDir = await dataDirectory();
    await start(dataDir);
    await expect(start(dataDir)).rejects.toMatchObject({ code: "DATA_DIR_IN_USE" });
    const { report } = await startElsewhere(dataDir);
    expect(report.refused).toBe(
      `DATA_DIR ${dataDir} in use by process ${process.pid}: stop it, or set DATA_DIR or DATABASE_URL.`,
    );
  });

  it("takes over from a server that was killed", async () => {
    const dataDir = await dataDirectory();
    const { child, report } = await startElsewhere(dataDir);
    await write(report.url);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await commandLine(report.pid)).toContain("postgres");
    const postgres = await start(dataDir);
    expect(await commandLine(report.pid)).toBeUndefined();
    expect(postgres.url).toBe(report.url);
    expect(await read(postgres.url)).toBe("still here");
  });

  it("ends with a process that ends without stopping it", async () => {
    const { child, report } = await startElsewhere(await dataDirectory());
    child.send("end");
    await once(child, "exit");
    expect(await waitForDeath(report.pid, 20_000)).toBe(true);
  });

  it("is not held up by a postmaster.pid whose process is something else now", async () => {
    const dataDir = await dataDirectory();
    const { child, report } = await startElsewhere(dataDir);
    child.kill("SIGKILL");
    process.kill(report.pid, "SIGKILL");
    expect(await waitForDeath(report.pid, 20_000)).toBe(true);
    const { program, args, identity } = commandAs(await chooseAccount([]), "sleep", ["600"]);
    const stranger = spawn(program, args, { ...identity, cwd: "/", stdio: "ignore" });
    endings.push(async () => {
      stranger.kill();
    });
    const file = join(dataDir, "postgres/postmaster.pid");
    const lines = (await readFile(file, "utf8")).split("\n");
    await writeFile(file, [String(stranger.pid), ...lines.slice(1)].join("\n"));
    const postgres = await start(dataDir);
    expect(postgres.url).toBe(report.url);
    expect(stranger.exitCode).toBeNull();
  });

  it("takes another port when its own is taken", async () => {
    const [here, there] = [await dataDirectory(), await dataDirectory()];
    const first = await start(here);
    await write(first.url);
    await first.stop();
    const record = JSON.parse(await readFile(join(here, "postgres.json"), "utf8"));
    const intruder = await start(there);
    await writeFile(
      join(here, "postgres.json"),
      JSON.stringify({ ...record, port: Number(new URL(intruder.url).port) }),
    );
    const second = await start(here);
    expect(new URL(second.url).port).not.toBe(new URL(intruder.url).port);
    expect(await read(second.url)).toBe("still here");
  });

  it("finds its way back in when postgres.json was lost", async () => {
    const dataDir = await dataDirectory();
    const first = await start(dataDir);
    await write(first.url);
    await first.stop();
    await rm(join(dataDir, "postgres.json"));
    const second = await start(dataDir);
    expect(new URL(second.url).password).not.toBe(new URL(first.url).password);
    expect(await read(second.url)).toBe("still here");
  });

  it.each([
    ["17", "countersign backup DIRECTORY"],
    ["19", "newer version of Countersign"],
  ])("refuses a directory of PostgreSQL %s, changes nothing, and names the way", async (version, way) => {
    const dataDir = await dataDirectory();
    const first = await start(dataDir);
    await write(first.url);
    await first.stop();
    const file = join(dataDir, "postgres/PG_VERSION");
    const record = await readFile(join(dataDir, "postgres.json"), "utf8");
    await writeFile(file, `${version}\n`);
    const refused = startEmbeddedPostgres({ dataDir, log: silent, settings });
    await expect(refused).rejects.toMatchObject({ code: "OTHER_POSTGRES_VERSION" });
    await expect(refused).rejects.toThrow(new RegExp(`is of PostgreSQL ${version}, .* runs PostgreSQL 18.*${way}`));
    expect(await readFile(join(dataDir, "postgres.json"), "utf8")).toBe(record);
    await writeFile(file, "18\n");
    expect(await read((await start(dataDir)).url)).toBe("still here");
  });

  it("does not begin anew where a restore was interrupted, and goes on where it had come to its end", async () => {
    const dataDir = await dataDirectory();
    await mkdir(join(dataDir, "restore.new"));
    const refused = startEmbeddedPostgres({ dataDir, log: silent, settings });
    await expect(refused).rejects.toMatchObject({ code: "RESTORE_UNFINISHED" });
    await expect(stat(join(dataDir, "postgres"))).rejects.toMatchObject({ code: "ENOENT" });
    await rm(join(dataDir, "restore.new"), { recursive: true });
    const first = await start(dataDir);
    await write(first.url);
    await first.stop();
    await mkdir(join(dataDir, "restore.new"));
    expect(await read((await start(dataDir)).url)).toBe("still here");
  });

  it("begins anew after it was interrupted while it was being created", async () => {
    const dataDir = await dataDirectory();
    await mkdir(join(dataDir, "postgres.new"));
    await writeFile(join(dataDir, "postgres.new/PG_VERSION"), "18\n");
    await write((await start(dataDir)).url);
  });
});

describe("assertReachable", () => {
  it("names the directory that is closed to the database's user", async () => {
    const account = await chooseAccount([]);
    const closed = await dataDirectory();
    const inside = join(closed, "data");
    await mkdir(inside);
    await chmod(closed, 0o600);
    const refusal = assertReachable(account, inside, "write");
    await expect(refusal).rejects.toMatchObject({ code: "UNREACHABLE_DIRECTORY" });
    await expect(refusal).rejects.toThrow(closed);
    await chmod(closed, 0o711);
  });
});
