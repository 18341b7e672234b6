/**
 * npm run bench:verify — entries verified a second, as ratios against reading the same rows and taking plain SHA-256 of
 * the same bytes, in as many threads with a connection each, on the same server, in interleaved rounds.
 * Settings: ENTRIES (100000), ROUNDS (5), WORKERS (1,2); DATABASE_URL of a migrated database with a ledger bench/eu of at
 * least one piece, to use that.
 */
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import pg from "pg";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { migrate } from "../../src/db/migrate.ts";
import { createPool } from "../../src/db/pool.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { RANGE_SIZE } from "../../src/ledger/verify.ts";
import { createLogger } from "../../src/log.ts";
import { appendActions, createLedger } from "../ledger/verify.fixture.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { median, table } from "./load.ts";
import { type Baseline, type BaselineThread, startBaseline } from "./verify/baseline.ts";
import { profile } from "./verify/profile.ts";

const ENTRIES = Number(process.env.ENTRIES ?? 100_000);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const WORKERS = (process.env.WORKERS ?? "1,2").split(",").map(Number);
const LEDGER: LedgerId = "bench/eu";
const BASELINES: Readonly<Record<Baseline, string>> = {
  rows: "whole rows read, SHA-256 in Node",
  copy: "whole rows read in binary, SHA-256 in Node",
  sql: "SHA-256 inside PostgreSQL, nothing read out",
};

const log = createLogger("warn");
const dataDir = path.join(tmpdir(), `countersign-bench-${process.pid}`);
const given = process.env.DATABASE_URL;
const postgres = given === undefined ? await startEmbeddedPostgres({ dataDir, log }) : undefined;
const url = given ?? postgres?.url ?? "";

/** Entries a second of a baseline, shared by the threads as `verifyLedger` shares its pieces. */
async function measure(threads: readonly BaselineThread[], baseline: Baseline, total: bigint): Promise<number> {
  const started = performance.now();
  let next = 1n;
  let entries = 0;
  const work = async (thread: BaselineThread) => {
    while (next <= total) {
      const from = next;
      next += RANGE_SIZE;
      const to = next - 1n < total ? next - 1n : total;
      const read = await thread.run({ baseline, ledger: LEDGER, from, to });
      entries += read;
    }
  };
  await Promise.all(threads.map(work));
  if (BigInt(entries) !== total) throw new Error(`read ${entries} of ${total} entries`);
  return (entries / (performance.now() - started)) * 1000;
}

/** Entries a second of a verification, threads started and ended. */
async function verify(pool: pg.Pool, workers: number, total: bigint): Promise<number> {
  const started = performance.now();
  const report = await verifyLedger(pool, LEDGER, { workers });
  if (report.verdict !== "INTACT" || report.checkedEntries !== total) throw new Error(`verdict ${report.verdict}`);
  return (Number(total) / (performance.now() - started)) * 1000;
}

try {
  if (given === undefined) {
    await migrate({ connectionString: url, log });
    const filler = new pg.Client({ connectionString: url });
    await filler.connect();
    await createLedger(filler, LEDGER);
    await appendActions(filler, LEDGER, 0, Math.ceil(ENTRIES / 5));
    await filler.query("VACUUM ANALYZE");
    await filler.end();
  }
  const pool = createPool({ connectionString: url, max: 8, applicationName: "bench", log });
  const total = (await verifyLedger(pool, LEDGER)).checkedEntries;
  if (total < RANGE_SIZE) throw new Error(`the ledger has to have ${RANGE_SIZE} entries, it has ${total}`);
  const cells: string[][] = [];
  for (const workers of WORKERS) {
    const threads = await Promise.all(Array.from({ length: workers }, () => startBaseline(url)));
    const names = Object.keys(BASELINES) as Baseline[];
    const runs = { verify: [] as number[], rows: [] as number[], copy: [] as number[], sql: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      runs.verify.push(await verify(pool, workers, total));
      for (const name of names) runs[name].push(await measure(threads, name, total));
    }
    await Promise.all(threads.map((thread) => thread.close()));
    // Of each round by itself: what else the machine did in it, it did to both.
    const ratio = (name: Baseline) => median(runs.verify.map((speed, round) => speed / (runs[name][round] ?? 0)));
    const crew = `${workers} ${workers === 1 ? "worker" : "workers"}`;
    const shown = (speeds: readonly number[]) => Math.round(median(speeds)).toLocaleString("en");
    cells.push([`verifyLedger, ${crew}`, shown(runs.verify), ""]);
    for (const name of names) cells.push([`${BASELINES[name]}, ${crew}`, shown(runs[name]), ratio(name).toFixed(2)]);
  }
  const steps = await profile(pool, LEDGER, RANGE_SIZE);
  await pool.end();
  process.stdout.write(`${total} entries, ${ROUNDS} rounds; pieces of ${RANGE_SIZE}\n\n`);
  process.stdout.write(`${table(["", "entries/s", "verifyLedger is × of it"], cells)}\n`);
  const profiled = steps.map(([what, us]) => [what, us.toFixed(1)]);
  process.stdout.write(`\nOne piece in one thread, step by step\n\n${table(["", "µs an entry"], profiled)}\n`);
} finally {
  await postgres?.stop();
  if (given === undefined) await rm(dataDir, { recursive: true, force: true });
}
