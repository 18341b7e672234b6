import { rm } from "node:fs/promises";
import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { sha256Hex } from "../../src/facts/hash.ts";
import { type App, startApp } from "../support/app.ts";
import { silent } from "../support/log.ts";
import { makeDataDir } from "../support/server.ts";
import { waitUntil } from "../support/wait.ts";
import { type Load, type Outcome, propose, startLoad } from "./load.ts";

const CALLERS = 8;
let databaseDir: string;
let dataDir: string;
let postgres: EmbeddedPostgres;
let restarts: number;
const apps: App[] = [];

beforeEach(async () => {
  [databaseDir, dataDir] = await Promise.all([makeDataDir(), makeDataDir()]);
  // With every write of it forced to disk, as in production.
  restarts = 0;
  const onRestart = () => {
    restarts += 1;
  };
  postgres = await startEmbeddedPostgres({ dataDir: databaseDir, log: silent, onRestart });
});

afterEach(async () => {
  for (const app of apps.splice(0)) await app.stop();
  await postgres.stop();
  for (const directory of [databaseDir, dataDir]) await rm(directory, { recursive: true, force: true });
});

/** A server on the database. Both share the directory, and so their keys. */
async function start(): Promise<App> {
  const app = await startApp({ databaseUrl: postgres.url, dataDir });
  apps.push(app);
  return app;
}

function progress(...loads: readonly Load[]): Promise<void> {
  const wanted = loads.map((load) => load.acknowledged().length + 100);
  return waitUntil(() => loads.every((load, index) => load.acknowledged().length >= (wanted[index] ?? 0)), 60_000);
}

interface Row {
  readonly seq: string;
  readonly hash: string;
  readonly prev: string;
  readonly entry: string;
}

/** The whole ledger, found to be in order and linked from end to end. */
async function readLedger(): Promise<readonly Row[]> {
  const client = new Client({ connectionString: postgres.url });
  await client.connect();
  const { rows } = await client.query<Row>(
    `SELECT seq, encode(hash, 'hex') AS hash, encode(prev_hash, 'hex') AS prev, entry
       FROM oc_audit_log WHERE ledger = 'acme/eu' ORDER BY seq`,
  );
  await client.end();
  for (const [index, row] of rows.entries()) {
    expect(row.seq).toBe(String(index + 1));
    expect(sha256Hex(row.entry)).toBe(row.hash);
    expect(row.prev).toBe(rows[index - 1]?.hash ?? "0".repeat(64));
  }
  return rows;
}

/** How often each action was proposed, by action. */
function proposalsOf(rows: readonly Row[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { entry } of rows) {
    const { body } = JSON.parse(entry) as { readonly body: { readonly type: string; readonly action?: string } };
    if (body.type !== "ACTION_PROPOSED" || body.action === undefined) continue;
    counts.set(body.action, (counts.get(body.action) ?? 0) + 1);
  }
  return counts;
}

describe("the database, then a server, killed under load on two servers", () => {
  it("loses nothing acknowledged and records nothing twice, wherever callers try again", async () => {
    const first = await start();
    const second = await start();
    const loads = [startLoad(first, CALLERS), startLoad(second, CALLERS)] as const;
    await progress(...loads);

    process.kill(postgres.pid, "SIGKILL");
    await progress(...loads);
    expect(restarts).toBe(1);
    // Both servers lived through it, so nobody was left without an answer.
    const codes = new Set(loads.flatMap((load) => load.refused().map(({ code }) => code)));
    expect([...codes].filter((code) => code !== "LEDGER_UNAVAILABLE")).toEqual([]);

    await first.kill();
    await loads[0].stop();
    await progress(loads[1]);
    const third = await start();
    const more = startLoad(third, CALLERS);
    await progress(loads[1], more);
    await Promise.all([loads[1].stop(), more.stop()]);

    const all = [...loads, more];
    // Calls were under way when the server was killed: otherwise this shows nothing.
    expect(loads[0].refused().map(({ code }) => code)).toContain("CONNECTION");
    const before = new Map((await readLedger()).map(({ seq, hash }) => [seq, hash]));
    const acknowledged = all.flatMap((load) => load.acknowledged());
    for (const { seq, hash } of acknowledged) expect(`sha256:${before.get(seq ?? "")}`).toBe(hash);
    expect(new Set(acknowledged.map(({ seq }) => seq)).size).toBe(acknowledged.length);

    // Whoever got no answer asks again, at both servers, at once: they get one answer, the same.
    const late: Outcome[] = [];
    for (const { key } of all.flatMap((load) => load.refused())) {
      const [here, there] = await Promise.all([propose(second, key), propose(third, key)]);
      expect(here).toEqual(there);
      expect(here.seq).toBeDefined();
      late.push(here);
    }
    // And so does, of those who got one, every tenth.
    for (const told of acknowledged.filter((_, index) => index % 10 === 0)) {
      expect(await propose(second, told.key)).toEqual(told);
    }
    const after = await readLedger();
    const proposals = proposalsOf(after);
    expect([...proposals.values()].filter((count) => count !== 1)).toEqual([]);
    expect(proposals.size).toBe(acknowledged.length + late.length);
  }, 180_000);
});
