/**
 * npm run bench:append — entries per second and latency of the ledger's append, as ratios against baselines measured
 * in the same run on the same server, with the 95 % interval of their median. Settings: SECONDS per measurement (2), ROUNDS (15),
 * CALLERS, SYSTEMS (a pattern).
 */
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import pg from "pg";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { migrate } from "../../src/db/migrate.ts";
import { createPool } from "../../src/db/pool.ts";
import { createLogger } from "../../src/log.ts";
import { createLedgers } from "../support/ledgers.ts";
import {
  auditTable,
  BASELINE_TABLES,
  type Baseline,
  prismaTransaction,
  singleInsert,
  unnestInsert,
} from "./append/baselines.ts";
import { body, facts } from "./append/drafts.ts";
import { READY, readyDrafts } from "./append/ready.ts";
import { drive, intervalOfMedian, type Measured, median, medianRun, table } from "./load.ts";

const SECONDS = Number(process.env.SECONDS ?? 2);
const ROUNDS = Number(process.env.ROUNDS ?? 15);
const SYSTEMS = new RegExp(process.env.SYSTEMS ?? "");
const CALLERS = (process.env.CALLERS ?? "1,16,64,256,1024").split(",").map(Number);

const log = createLogger("warn");
// A folder below the temporary one: the server makes it reachable for the account PostgreSQL runs as.
const dataDir = path.join(tmpdir(), `countersign-bench-${process.pid}`);
const postgres = await startEmbeddedPostgres({ dataDir, log });
try {
  await migrate({ connectionString: postgres.url, log });
  const admin = new pg.Pool({ connectionString: postgres.url, max: 4 });
  admin.on("error", () => {}); // idle connections end with the server at the close
  await admin.query(BASELINE_TABLES);
  const pool = createPool({ connectionString: postgres.url, max: 20, applicationName: "bench", log });
  const ledgers = createLedgers({ pool, capacity: 100_000 });

  const systems: Record<string, (callers: number) => Baseline | Promise<Baseline>> = {
    ledger: () => ({
      append: (caller) => ledgers.append("bench/eu", body(facts(caller, "bench/eu"))),
      close: async () => {},
    }),
    "16 ledgers": () => ({
      append(caller) {
        const ledger = `bench/r${caller % 16}` as const;
        return ledgers.append(ledger, body(facts(caller, ledger)));
      },
      close: async () => {},
    }),
    "(a) prisma tx": (callers) => prismaTransaction(postgres.url, Math.min(callers, 64)),
    "(b) unnest": () => unnestInsert(admin),
    "(b) one batch at a time": () => unnestInsert(admin, false),
    "(c) audit table": (callers) => auditTable(postgres.url, Math.min(callers, 64)),
    "(d) ready drafts": () => readyDrafts(postgres.url, ledgers, SECONDS),
    "plain insert": () => singleInsert(admin),
  };

  const rows: string[][] = [];
  for (const callers of CALLERS) {
    const wanted = Object.keys(systems).filter((name) => name === "ledger" || SYSTEMS.test(name));
    const names = wanted.filter((name) => {
      if (name === "plain insert") return callers === 1;
      if (name === "(d) ready drafts") return callers === READY;
      return name !== "16 ledgers" || callers >= 16;
    });
    const runs = new Map<string, Measured[]>(names.map((name) => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of names) {
        const system = await systems[name]!(callers);
        // Its one caller sends a batch each time.
        const [sending, each] = name === "(d) ready drafts" ? [1, READY] : [callers, 1];
        const run = await drive(sending, SECONDS, (caller) => system.append(caller));
        runs.get(name)?.push({ ...run, perSecond: run.perSecond * each });
        await system.close();
        process.stderr.write(`\r${callers} callers, round ${round + 1}/${ROUNDS}: ${name}          `);
      }
    }
    const ours = runs.get("ledger") ?? [];
    for (const name of names) {
      const its = runs.get(name) ?? [];
      const run = medianRun(its);
      // Of sixteen ledgers to one; of the ledger to everything else.
      const inverse = name === "16 ledgers";
      const compared = (value: (run: Measured) => number) =>
        name === "ledger"
          ? "1"
          : ratio(its.map((it, n) => (inverse ? value(it) / value(ours[n]!) : value(ours[n]!) / value(it))));
      const perSecond = compared((each) => each.perSecond);
      const p50 = compared((each) => each.p50);
      rows.push([
        String(callers),
        name,
        run.perSecond.toFixed(0),
        perSecond,
        run.p50.toFixed(2),
        p50,
        run.p99.toFixed(2),
      ]);
    }
  }
  process.stderr.write("\n");
  console.log(table(["callers", "system", "entries/s", "ledger ÷ it", "p50 ms", "p50 ÷ its", "p99 ms"], rows));
  await ledgers.close();
  await pool.end();
  await admin.end();
} finally {
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
}

/** The median of ratios, one a round, with its 95 % interval. */
function ratio(ratios: readonly number[]): string {
  const [low, high] = intervalOfMedian(ratios);
  return `${median(ratios).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}
