import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { loadKeys } from "../../src/domain/identity/keys.ts";
import { type App, startApp } from "../support/app.ts";
import { makeDataDir, withClient } from "../support/server.ts";
import { waitUntil } from "../support/wait.ts";
import { countersign, start } from "./run.ts";

interface Manifest {
  readonly ledgers: readonly { readonly ledger: string; readonly seq: string; readonly hash: string }[];
  readonly tables: readonly { readonly name: string; readonly rows: number; readonly file: string }[];
  readonly keys: object | null;
}

const PROPOSE = "mutation($input:ProposeActionInput!){proposeAction(input:$input){action{id} userErrors{code}}}";
const propose = (on: App) =>
  on.gql<{ proposeAction: { action: { id: string } } }>(
    PROPOSE,
    { input: { idempotencyKey: randomUUID(), platform: "crm", tool: "get_user_details", arguments: { user: "mia" } } },
    "agent",
  );

let folder: string;
let app: App;
/** Made while the server ran and recorded; without keys. */
let backup: string;
let manifest: Manifest;
let printed: string;
const apps: App[] = [];

async function serveOn(dataDir: string): Promise<App> {
  const started = await startApp({ dataDir });
  apps.push(started);
  return started;
}

const readManifest = async (directory: string): Promise<Manifest> =>
  JSON.parse(await readFile(path.join(directory, "manifest.json"), "utf8"));
const headIn = ({ ledgers }: Manifest) => ledgers.find(({ ledger }) => ledger === "acme/eu");
const newDataDir = async () => path.join(await makeDataDir(), "data");

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "countersign-backups-"));
  app = await serveOn(await makeDataDir());
  for (let at = 0; at < 5; at += 1) await propose(app);
  backup = path.join(folder, "while-serving");
  let recording = true;
  let recorded = 0;
  const load = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (recording) {
        expect((await propose(app)).errors).toBeUndefined();
        recorded += 1;
      }
    }),
  );
  await waitUntil(() => recorded > 20);
  const { code, stdout, stderr } = await countersign(["backup", backup], { DATA_DIR: app.dataDir });
  const until = recorded + 20;
  await waitUntil(() => recorded > until);
  recording = false;
  await load;
  expect(code, stderr).toBe(exitCodes.OK);
  printed = stdout + stderr;
  manifest = await readManifest(backup);
}, 120_000);

afterAll(async () => {
  for (const each of apps) {
    await each.stop();
    await rm(each.dataDir, { recursive: true, force: true });
  }
  await rm(folder, { recursive: true, force: true });
});

const restore = (directory: string, dataDir: string, ...more: string[]) =>
  countersign(["restore", directory, "--data-dir", dataDir, ...more], {});
const withKeys = () => ["--keys", path.join(app.dataDir, "keys.json")];

interface Health {
  readonly condition: string;
  readonly problems: readonly { readonly verdict: string; readonly detail: string }[];
}
const healthOf = async (on: App) =>
  (await on.ask<{ ledger: { health: Health } }>("{ledger{health{condition problems{verdict detail}}}}", {}, "auditor"))
    .ledger.health;

async function acknowledge(on: App): Promise<{ readonly canonical?: string } | null> {
  const { acknowledgeLedger } = await on.ask<{
    acknowledgeLedger: { entry: { seq: string } | null; userErrors: readonly { code: string }[] };
  }>(
    "mutation($input:AcknowledgeLedgerInput!){acknowledgeLedger(input:$input){entry{seq} userErrors{code message}}}",
    { input: { note: "The disk was lost; restored on purpose." } },
    "admin",
  );
  expect(acknowledgeLedger.userErrors).toEqual([]);
  const { code, stdout } = await countersign(
    ["export", "--database-url", "--from", acknowledgeLedger.entry!.seq, "--to", acknowledgeLedger.entry!.seq],
    { DATA_DIR: on.dataDir },
  );
  expect(code).toBe(exitCodes.OK);
  return JSON.parse(stdout);
}

describe("a backup of a running server", () => {
  it("is of one moment, is readable by its owner only, and says what to keep elsewhere", async () => {
    const head = headIn(manifest)!;
    expect(printed).toContain(`acme/eu  head ${head.seq} sha256:${head.hash}`);
    expect(printed).toMatch(/manifest sha256:[0-9a-f]{64}/);
    expect(printed).toContain("private keys are not in this backup");
    const entries = manifest.tables.find(({ name }) => name === "oc_audit_log");
    expect(entries?.rows).toBe(manifest.ledgers.reduce((sum, { seq }) => sum + Number(seq), 0));
    for (const name of [".", ...(await readdir(backup))]) {
      expect((await stat(path.join(backup, name))).mode & 0o077, name).toBe(0);
    }
    expect(await readdir(folder)).toEqual(["while-serving"]);
  });

  it("is not written over", async () => {
    const { code, stderr } = await countersign(["backup", backup], { DATA_DIR: app.dataDir });
    expect([code, stderr]).toEqual([exitCodes.USAGE, expect.stringContaining("exists")]);
  });

  it("is restored, verified, and stops the ledger until an administrator acknowledges it, in an entry that says so", async () => {
    const dataDir = await newDataDir();
    const { code, stdout, stderr } = await restore(backup, dataDir, ...withKeys());
    expect(code, stderr).toBe(exitCodes.OK);
    const head = headIn(manifest)!;
    expect(stdout).toContain(`INTACT  acme/eu  head ${head.seq} sha256:${head.hash}`);
    expect((await stat(path.join(dataDir, "keys.json"))).mode & 0o777).toBe(0o600);
    const restored = await serveOn(dataDir);
    await waitUntil(async () => (await healthOf(restored)).condition === "STOPPED");
    const detail = `the ledger ends at ${head.seq} sha256:${head.hash}`;
    expect((await healthOf(restored)).problems).toMatchObject([
      { verdict: "ROLLED_BACK", detail: expect.stringContaining(detail) },
    ]);
    expect((await propose(restored)).errors?.[0]?.extensions?.code).toBe("LEDGER_STOPPED");
    expect(JSON.stringify(await acknowledge(restored))).toContain(detail);
    expect((await propose(restored)).errors).toBeUndefined();
    const verified = await countersign(["verify", "--database-url", "--ledger", "acme/eu"], { DATA_DIR: dataDir });
    expect(verified.stdout).toMatch(/^INTACT {2}acme\/eu/);
  });
});

/** A copy of the backup in which `change` changed something. */
async function changed(change: (directory: string) => Promise<unknown>): Promise<string> {
  const copy = path.join(folder, randomUUID());
  await cp(backup, copy, { recursive: true });
  await change(copy);
  return copy;
}

const ENTRIES = "oc_audit_log.copy.gz";
const PAYLOADS = "oc_audit_payload.copy.gz";

describe("a restore is refused", () => {
  it.each([
    [
      "a byte of a file was changed",
      async (directory: string) => {
        const bytes = await readFile(path.join(directory, ENTRIES));
        bytes[bytes.length >> 1]! ^= 1;
        await writeFile(path.join(directory, ENTRIES), bytes);
      },
      ENTRIES,
    ],
    [
      "a file was cut off",
      async (directory: string) => {
        const bytes = await readFile(path.join(directory, PAYLOADS));
        await writeFile(path.join(directory, PAYLOADS), bytes.subarray(0, -10));
      },
      PAYLOADS,
    ],
    ["a file is missing", (directory: string) => rm(path.join(directory, ENTRIES)), ENTRIES],
  ])("when %s, naming it", async (_, change, file) => {
    const dataDir = await newDataDir();
    const { code, stderr } = await restore(await changed(change), dataDir, ...withKeys());
    expect([code, stderr]).toEqual([exitCodes.FAILED, expect.stringContaining(file)]);
    await expect(stat(dataDir)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("when the manifest no longer names a ledger that is in it", async () => {
    const forged = await changed(async (directory) => {
      const ledgers = manifest.ledgers.filter(({ ledger }) => ledger !== "acme/eu");
      expect(ledgers.length).toBeLessThan(manifest.ledgers.length);
      await writeFile(path.join(directory, "manifest.json"), JSON.stringify({ ...manifest, ledgers }));
    });
    const { code, stderr } = await restore(forged, path.join(folder, "unnamed"), ...withKeys());
    expect(stderr).toContain("acme/eu is in the backup, and its manifest does not name it");
    expect(code).toBe(exitCodes.FAILED);
  });

  it("when values were changed and the manifest was made to agree, because nothing in a backup is believed", async () => {
    const dataDir = await newDataDir();
    const forged = await changed(async (directory) => {
      const file = path.join(directory, PAYLOADS);
      const text = gunzipSync(await readFile(file)).toString();
      expect(text).toContain('"mia"');
      const bytes = gzipSync(text.replace('"mia"', '"eve"'));
      await writeFile(file, bytes);
      const about = { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
      const tables = manifest.tables.map((table) => (table.file === PAYLOADS ? { ...table, ...about } : table));
      await writeFile(path.join(directory, "manifest.json"), JSON.stringify({ ...manifest, tables }));
    });
    const [, hash = ""] = /manifest sha256:([0-9a-f]{64})/.exec(printed) ?? [];
    const other = await restore(forged, dataDir, ...withKeys(), "--manifest", hash);
    expect([other.code, other.stderr]).toEqual([exitCodes.FAILED, expect.stringContaining("another backup")]);
    const { code, stderr } = await restore(forged, dataDir, ...withKeys());
    expect([code, stderr]).toEqual([exitCodes.FAILED, expect.stringContaining("acme/eu is not INTACT")]);
    expect(await readdir(path.join(dataDir, "restore.new"))).toEqual([]);
    const served = await countersign(["serve", "--port", "0"], { DATA_DIR: dataDir });
    expect([served.code, served.stderr]).toEqual([exitCodes.FAILED, expect.stringContaining("countersign restore")]);
    // Of a ledger that was damaged before its backup, that is better than nothing.
    const accepted = await restore(forged, dataDir, ...withKeys(), "--accept-damage");
    expect(accepted.code).toBe(exitCodes.FAILED);
    expect(accepted.stdout).toContain(`DAMAGED  acme/eu  head ${headIn(manifest)!.seq}`);
    expect(accepted.stderr).toContain("acme/eu is not INTACT after it was restored but CONTENT_MISMATCH at ");
    expect(await readdir(dataDir)).toEqual(expect.arrayContaining(["postgres", "postgres.json", "keys.json"]));
    expect(await readdir(dataDir)).not.toContain("restore.new");
  });

  it("when the data directory has something in it", async () => {
    const { code, stderr } = await restore(backup, app.dataDir, ...withKeys());
    expect([code, stderr]).toEqual([exitCodes.USAGE, expect.stringContaining("is not empty")]);
  });

  it("without the keys that signed the entries, and with others", async () => {
    const dataDir = await newDataDir();
    const none = await restore(backup, dataDir);
    expect([none.code, none.stderr]).toEqual([exitCodes.USAGE, expect.stringContaining("--keys")]);
    const file = path.join(folder, "other-keys.json");
    await loadKeys(file);
    const others = await restore(backup, dataDir, "--keys", file);
    expect([others.code, others.stderr]).toEqual([exitCodes.USAGE, expect.stringContaining("has other keys")]);
    const nowhere = await restore(backup, dataDir, "--keys", path.join(folder, "nowhere.json"));
    expect(nowhere.code).toBe(exitCodes.USAGE);
    await expect(stat(path.join(folder, "nowhere.json"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("of what is no backup", async () => {
    const { code, stderr } = await restore(folder, await newDataDir(), ...withKeys());
    expect([code, stderr]).toEqual([exitCodes.USAGE, expect.stringContaining("manifest.json")]);
  });
});

describe("killed", () => {
  it("a backup leaves nothing that could be restored", async () => {
    const { url } = JSON.parse(await readFile(path.join(app.dataDir, "postgres.json"), "utf8")) as { url: string };
    const target = path.join(folder, "killed");
    const unfinished = async () => (await readdir(folder)).filter((name) => name.startsWith("killed"));
    await withClient(url, async (client) => {
      // The backup waits for this, with its directory begun.
      await client.query("BEGIN; LOCK TABLE oc_ledger_month IN ACCESS EXCLUSIVE MODE");
      const child = start(["backup", target], { DATA_DIR: app.dataDir });
      await waitUntil(async () => (await unfinished()).length > 0);
      child.kill("SIGKILL");
      await once(child, "exit");
      await client.query("ROLLBACK");
    });
    const [left = ""] = await unfinished();
    expect(left).toContain("killed.unfinished-");
    const { code } = await restore(path.join(folder, left), await newDataDir(), ...withKeys());
    expect(code).toBe(exitCodes.USAGE);
  });

  it("a restore leaves nothing that a server starts on, and is repeated; heads that were known are named", async () => {
    const dataDir = await newDataDir();
    const child = start(["restore", backup, "--data-dir", dataDir, ...withKeys()], {});
    const begun = () =>
      stat(path.join(dataDir, "restore.new/postgres/postmaster.pid")).then(
        () => true,
        () => false,
      );
    await waitUntil(begun);
    child.kill("SIGKILL");
    await once(child, "exit");
    const served = await countersign(["serve", "--port", "0"], { DATA_DIR: dataDir });
    expect([served.code, served.stderr]).toEqual([exitCodes.FAILED, expect.stringContaining("was interrupted")]);

    await app.stop();
    const known = JSON.parse(await readFile(path.join(app.dataDir, "heads/acme__eu.json"), "utf8")).head;
    const again = await restore(backup, dataDir, ...withKeys(), "--heads", path.join(app.dataDir, "heads"));
    expect(again.code, again.stderr).toBe(exitCodes.OK);
    const restored = await serveOn(dataDir);
    await waitUntil(async () => (await healthOf(restored)).problems.length === 2);
    const entry = JSON.stringify(await acknowledge(restored));
    expect(entry).toContain(`it was known to reach ${known.seq} sha256:${known.hash}`);
    expect(entry).toContain(`"seq":"${Number(headIn(manifest)!.seq) + 1}","through":"${known.seq}"`);
    expect((await propose(restored)).errors).toBeUndefined();
  });

  it("no more: with its server stopped, a database is started for its backup, which can have the keys", async () => {
    const target = path.join(folder, "stopped");
    const { code, stderr } = await countersign(["backup", "--with-keys", target], { DATA_DIR: app.dataDir });
    expect(code, stderr).toBe(exitCodes.OK);
    const known = JSON.parse(await readFile(path.join(app.dataDir, "heads/acme__eu.json"), "utf8")).head;
    expect(headIn(await readManifest(target))).toEqual({ ledger: "acme/eu", seq: known.seq, hash: known.hash });
    expect(await readFile(path.join(target, "keys.json"), "utf8")).toBe(
      await readFile(path.join(app.dataDir, "keys.json"), "utf8"),
    );
    expect((await stat(path.join(target, "keys.json"))).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(path.join(app.dataDir, "postgres.json"), "utf8")).pid).toBeNull();
  });
});
