/**
 * npm run bench:verify — entries verified a second, as ratios against reading the same rows and taking plain SHA-256 of
 * the same bytes, with as many connections, on the same server, in interleaved rounds.
 * Settings: ENTRIES (100000), ROUNDS (5), WORKERS (1,2); DATABASE_URL of a migrated database with a ledger bench/eu of at
 * least one range, to use that.
 */
import { hash } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import pg from "pg";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { migrate } from "../../src/db/migrate.ts";
import { createPool } from "../../src/db/pool.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { RANGE_SIZE, verifyLedger } from "../../src/ledger/verify.ts";
import { createLogger } from "../../src/log.ts";
import { appendActions, createLedger } from "../ledger/verify.fixture.ts";
import { median, percentile, table } from "./load.ts";

const ENTRIES = Number(process.env.ENTRIES ?? 100_000);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const WORKERS = (process.env.WORKERS ?? "1,2").split(",").map(Number);
const LEDGER: LedgerId = "bench/eu";

const log = createLogger("warn");
const dataDir = path.join(tmpdir(), `countersign-bench-${process.pid}`);
const given = process.env.DATABASE_URL;
const postgres = given === undefined ? await startEmbeddedPostgres({ dataDir, log }) : undefined;
const url = given ?? postgres?.url ?? "";

/** The rows of one range: what a verification has to read. */
const ROWS = `
  FROM public.oc_audit_log l
  LEFT JOIN public.oc_audit_payload p ON p.ledger = $1 AND p.seq = l.seq AND p.seq BETWEEN $2 AND $3
 WHERE l.ledger = $1 AND l.seq BETWEEN $2 AND $3`;
const IN_SQL = `SELECT count(sha256(convert_to(l.entry, 'UTF8'))) AS entries, count(sha256(convert_to(p.payload::text, 'UTF8'))) ${ROWS}`;
const BYTES = `SELECT l.entry, p.payload::text ${ROWS}`;
const EVERYTHING = `SELECT l.entry, p.payload::text, l.* ${ROWS}`;
/** No baseline pays for turning text into values. */
const AS_TEXT = { getTypeParser: () => (value: unknown) => value };

type Piece = (pool: pg.Pool, from: bigint, to: bigint) => Promise<number>;
const inSql: Piece = async (pool, from, to) => {
  const { rows } = await pool.query<{ entries: string }>(IN_SQL, [LEDGER, String(from), String(to)]);
  return Number(rows[0]?.entries);
};
const inNode =
  (text: string): Piece =>
  async (pool, from, to) => {
    const values = [LEDGER, String(from), String(to)];
    const { rows } = await pool.query<[string, string | null]>({ text, values, rowMode: "array", types: AS_TEXT });
    for (const [entry, payload] of rows) {
      hash("sha256", entry);
      if (payload !== null) hash("sha256", payload);
    }
    return rows.length;
  };

interface Run {
  readonly perSecond: number;
  readonly pieces: readonly number[];
}

/** A baseline, in pieces of the size that suits it, shared by the workers as `verifyLedger` shares its ranges. */
async function baseline(pool: pg.Pool, workers: number, total: bigint, size: bigint, piece: Piece): Promise<Run> {
  const started = performance.now();
  const pieces: number[] = [];
  let next = 1n;
  let entries = 0;
  const work = async () => {
    while (next <= total) {
      const from = next;
      next += size;
      const began = performance.now();
      const read = await piece(pool, from, from + size - 1n < total ? from + size - 1n : total);
      entries += read;
      pieces.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  if (BigInt(entries) !== total) throw new Error(`read ${entries} of ${total} entries`);
  return { perSecond: (entries / (performance.now() - started)) * 1000, pieces };
}

async function verify(pool: pg.Pool, workers: number, total: bigint): Promise<Run> {
  const started = performance.now();
  const report = await verifyLedger(pool, LEDGER, { workers });
  if (report.verdict !== "INTACT" || report.checkedEntries !== total) throw new Error(`verdict ${report.verdict}`);
  return { perSecond: (Number(total) / (performance.now() - started)) * 1000, pieces: [] };
}

/** Milliseconds of each range of a verification by one worker: with one, progress comes once a range. */
async function rangeTimes(pool: pg.Pool): Promise<number[]> {
  const times: number[] = [];
  let last: number | undefined;
  await verifyLedger(pool, LEDGER, {
    workers: 1,
    onProgress: () => {
      const now = performance.now();
      if (last !== undefined) times.push(now - last);
      last = now;
    },
  });
  return times;
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
    const runs: Record<"verify" | "rows" | "bytes" | "sql", Run[]> = { verify: [], rows: [], bytes: [], sql: [] };
    for (let round = 0; round < ROUNDS; round++) {
      runs.verify.push(await verify(pool, workers, total));
      runs.sql.push(await baseline(pool, workers, total, RANGE_SIZE, inSql));
      runs.rows.push(await baseline(pool, workers, total, 2_000n, inNode(EVERYTHING)));
      runs.bytes.push(await baseline(pool, workers, total, 2_000n, inNode(BYTES)));
    }
    const speed = (name: keyof typeof runs) => median(runs[name].map(({ perSecond }) => perSecond));
    const sorted = (times: readonly number[]) => times.toSorted((a, b) => a - b);
    const shown = (name: string, key: keyof typeof runs, times: readonly number[]) => [
      `${name}, ${workers} ${workers === 1 ? "worker" : "workers"}`,
      Math.round(speed(key)).toLocaleString("en"),
      (speed("verify") / speed(key)).toFixed(2),
      percentile(sorted(times), 0.5).toFixed(1),
      percentile(sorted(times), 0.99).toFixed(1),
    ];
    cells.push(
      shown("verifyLedger", "verify", await rangeTimes(pool)),
      shown(
        "whole rows read, SHA-256 in Node",
        "rows",
        runs.rows.flatMap(({ pieces }) => pieces),
      ),
      shown(
        "entry and payload alone read, SHA-256 in Node",
        "bytes",
        runs.bytes.flatMap(({ pieces }) => pieces),
      ),
      shown(
        "SHA-256 inside PostgreSQL, nothing read out",
        "sql",
        runs.sql.flatMap(({ pieces }) => pieces),
      ),
    );
  }
  await pool.end();
  process.stdout.write(`${total} entries, ${ROUNDS} rounds; ranges of ${RANGE_SIZE}, of 2000 in Node\n\n`);
  process.stdout.write(`${table(["", "entries/s", "verifyLedger is × of it", "p50 ms a range", "p99"], cells)}\n`);
} finally {
  await postgres?.stop();
  if (given === undefined) await rm(dataDir, { recursive: true, force: true });
}
