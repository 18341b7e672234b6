// What many ledgers cost: one append to each in turn, the start of a server on them, and its readiness while some are busy and
// one is held. `npm run bench:tenants`; LEDGERS=10000 BUSY=64 SECONDS=10.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { migrate } from "../../src/db/migrate.ts";
import { createPool } from "../../src/db/pool.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { createLogger } from "../../src/log.ts";
import { createLedgers } from "../support/ledgers.ts";
import { body, facts } from "./append/drafts.ts";
import { drive, median, percentile, table } from "./load.ts";

const LEDGERS = Number(process.env.LEDGERS ?? 10_000);
const BUSY = Number(process.env.BUSY ?? 64);
const SECONDS = Number(process.env.SECONDS ?? 10);

const log = createLogger("warn");
const dataDir = path.join(tmpdir(), `countersign-tenants-${process.pid}`);
const postgres = await startEmbeddedPostgres({ dataDir, log });
const pool = createPool({ connectionString: postgres.url, max: 8, applicationName: "bench", log });
const rows: string[][] = [];
const add = (what: string, value: string) => rows.push([what, value]);
const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
const ledgerOf = (n: number): LedgerId => `tenant-${n}/eu`;

try {
  await migrate({ connectionString: postgres.url, log });
  const ledgers = createLedgers({ pool, capacity: 100_000 });
  const append = (ledger: LedgerId, caller: number) => ledgers.append(ledger, body(facts(caller, ledger)));

  await appendToEach();
  const server = await startServer();
  try {
    await readiness(server.url);
    await oneHeld();
    add("memory of the server afterwards", mebibytes(await server.memory()));
  } finally {
    await server.stop();
  }
  await ledgers.close();
  console.log(table([`${LEDGERS} ledgers`, ""], rows));

  /** Creates the ledgers, then appends once to each, and compares what stays in memory. */
  async function appendToEach(): Promise<void> {
    const few = Math.min(500, LEDGERS);
    const heap: number[] = [];
    let began = performance.now();
    for (let n = 0; n < LEDGERS; n++) {
      if (n === few) {
        heap.push(used());
        began = performance.now();
      }
      await append(ledgerOf(n), n);
      if (n % 100 === 0) process.stderr.write(`\rappend to ledger ${n}/${LEDGERS}   `);
    }
    heap.push(used());
    process.stderr.write("\n");
    add(
      "ledger made and one entry appended, each in turn",
      `${((performance.now() - began) / (LEDGERS - few)).toFixed(2)} ms`,
    );
    add(`heap after ${few} ledgers`, mebibytes(heap[0]!));
    add(`heap after ${LEDGERS} ledgers`, mebibytes(heap.at(-1)!));
  }

  /** How long probes take while BUSY ledgers grow as fast as they can. */
  async function readiness(url: string): Promise<void> {
    for (const busy of [0, BUSY]) {
      const took: number[] = [];
      let failed = 0;
      let going = true;
      const probing = (async () => {
        while (going) {
          const started = performance.now();
          const { status } = await fetch(new URL("/readyz", url));
          took.push(performance.now() - started);
          if (status !== 200) failed += 1;
          // Longer than results of the checks are cached.
          await pause(1_050);
        }
      })();
      const load = drive(Math.max(busy, 1), SECONDS, (caller) =>
        busy === 0 ? pause(100) : append(ledgerOf(caller), caller),
      );
      const { perSecond } = await load;
      going = false;
      await probing;
      took.sort((a, b) => a - b);
      if (busy > 0) add(`entries/s of ${busy} ledgers, one caller each`, perSecond.toFixed(0));
      add(
        `readiness, ${busy} ledgers busy: median, longest, failed`,
        `${median(took).toFixed(1)} ms, ${took.at(-1)!.toFixed(1)} ms, ${failed} of ${took.length}`,
      );
    }
  }

  /** How long appends to BUSY ledgers take while the head of one more is held, in turn with none held. */
  async function oneHeld(): Promise<void> {
    const took = { free: [] as number[], held: [] as number[] };
    const owner = new pg.Client({ connectionString: postgres.url });
    await owner.connect();
    for (let round = 0; round < 6; round++) {
      const state = round % 2 === 0 ? "free" : "held";
      let waiting: Promise<unknown> = Promise.resolve();
      if (state === "held") {
        await owner.query("BEGIN");
        await owner.query("SELECT FROM oc_ledger_head WHERE ledger = $1 FOR UPDATE", [ledgerOf(BUSY)]);
        waiting = append(ledgerOf(BUSY), 0);
      }
      await drive(BUSY, SECONDS / 5, async (caller) => {
        const started = performance.now();
        await append(ledgerOf(caller), caller);
        took[state].push(performance.now() - started);
      });
      if (state === "held") await owner.query("ROLLBACK");
      await waiting;
    }
    await owner.end();
    for (const state of ["free", "held"] as const) {
      const sorted = took[state].sort((a, b) => a - b);
      add(
        `append to ${BUSY} ledgers, ${state === "free" ? "no head" : "the head of another one"} held: p50, p99`,
        `${percentile(sorted, 0.5).toFixed(1)} ms, ${percentile(sorted, 0.99).toFixed(1)} ms`,
      );
    }
  }
} finally {
  await pool.end();
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
}

function used(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  server.close();
  return port;
}

interface Server {
  readonly url: string;
  /** Resident memory. */
  memory(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts the product on the database, and waits until it is ready. */
async function startServer(): Promise<Server> {
  const program = fileURLToPath(new URL("../../src/cli/countersign.js", import.meta.url));
  const url = `http://127.0.0.1:${await freePort()}`;
  const started = performance.now();
  const child = spawn(process.execPath, [program, "serve", "--port", new URL(url).port], {
    stdio: "ignore",
    env: { ...process.env, DATABASE_URL: postgres.url, DATA_DIR: path.join(dataDir, "server") },
  });
  let ready = false;
  while (!ready) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    ready = await fetch(new URL("/readyz", url)).then(
      ({ ok }) => ok,
      () => false,
    );
    if (!ready) await pause(20);
  }
  add("start of the server until it is ready", `${((performance.now() - started) / 1000).toFixed(2)} s`);
  const memory = async () => {
    const status = await readFile(`/proc/${child.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  };
  add("memory of the server when it is ready", mebibytes(await memory()));
  return {
    url,
    memory,
    async stop() {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}
