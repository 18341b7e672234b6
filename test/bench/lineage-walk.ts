/**
 * npm run bench:lineage:walk — a walk of ten edges, upstream and downstream, in ledgers with different numbers of edges, one after the other
 * in each round. The edges are made by the append, with entries that record them.
 * Settings: EDGES (1000000) and FEW (10000) of the two ledgers, ROUNDS (31).
 */
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import pg from "pg";
import { startProgress } from "../../src/cli/progress.ts";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { migrate } from "../../src/db/migrate.ts";
import type { EdgeSource } from "../../src/domain/lineage/walk/proven-edges.ts";
import { type Direction, type Walk, walkLineage } from "../../src/domain/lineage/walk/walk.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import type { Queryable } from "../../src/ledger/read.ts";
import { createLogger } from "../../src/log.ts";
import { createLedger } from "../ledger/verify.fixture.ts";
import { appendSteps, chainId, type Step, type StepInput } from "../support/lineage-graph.ts";
import { intervalOfMedian, median, table } from "./load.ts";

const EDGES = Number(process.env.EDGES ?? 1_000_000);
const FEW = Number(process.env.FEW ?? 10_000);
const ROUNDS = Number(process.env.ROUNDS ?? 31);
const DEPTH = 10;
/** Edges of each write, and the chains of the layer before that they lead to. */
const OF_WRITE = 20;
const WIDTH = 4;
/** Writes of an append: several graphs side by side. */
const TOGETHER = 48;

const log = createLogger("warn");
const dataDir = path.join(tmpdir(), `countersign-bench-${process.pid}`);
const postgres = await startEmbeddedPostgres({ dataDir, log });

/** Layers of chains: each write of a layer drew on reads of the one before it. */
async function fill(client: pg.Client, ledger: LedgerId, edges: number): Promise<void> {
  await createLedger(client, ledger);
  const layers = Math.max(DEPTH + 2, Math.floor(edges / (OF_WRITE * TOGETHER)));
  const progress = startProgress("layers", layers);
  let before: readonly Step[] = [];
  for (let layer = 0; layer <= layers; layer++) {
    const writes = before.map((_, n): StepInput => {
      const group = n - (n % WIDTH);
      const sources = Array.from({ length: OF_WRITE }, (__, k) => before[group + (k % WIDTH)] as Step);
      const chain = `${ledger} ${layer} ${n}`;
      return { chain, platform: `p${layer % 7}`, observed: sources.slice(0, 1), possible: sources.slice(1) };
    });
    if (writes.length > 0) await appendSteps(client, ledger, writes);
    const reads = Array.from({ length: TOGETHER }, (_, n): StepInput => {
      return { chain: `${ledger} ${layer} ${n}`, platform: `p${layer % 7}` };
    });
    before = await appendSteps(client, ledger, reads);
    progress.advance();
  }
  progress.finish();
}

try {
  await migrate({ connectionString: postgres.url, log });
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  client.on("error", () => {});
  await client.query("SET synchronous_commit = off");
  const ledgers: readonly (readonly [LedgerId, number])[] = [
    ["bench/few", FEW],
    ["bench/many", EDGES],
  ];
  for (const [ledger, edges] of ledgers) await fill(client, ledger, edges);
  await client.query("VACUUM ANALYZE");
  const { rows: counted } = await client.query<{ ledger: string; edges: string }>(
    "SELECT ledger, count(*) AS edges FROM oc_lineage_edge GROUP BY 1 ORDER BY 1",
  );
  let statements = 0;
  const db = {
    query: (query: pg.QueryConfig) => {
      if (String(query.text).includes("WITH RECURSIVE")) statements += 1;
      return client.query(query);
    },
  } as unknown as Queryable;
  const walk = (ledger: LedgerId, direction: Direction): Promise<Walk> => {
    const source: EdgeSource = { ledger, db, scopes: undefined, damaged: (error) => error };
    const regions = {
      sources: new Map([[ledger.slice(6), source]]),
      unread: [],
      failed(_region: string, error: unknown) {
        throw error;
      },
    };
    const layers = Number(counted.find((row) => row.ledger === ledger)?.edges ?? 0) / (OF_WRITE * TOGETHER);
    const layer = direction === "UPSTREAM" ? Math.floor(layers) : 0;
    const chain = { ledger, chain: chainId(`${ledger} ${layer} 0`), platform: `p${layer % 7}` };
    return walkLineage(regions, { chain, at: undefined }, direction, DEPTH);
  };
  const rows: string[][] = [];
  for (const direction of ["UPSTREAM", "DOWNSTREAM"] as const) {
    const times = new Map<LedgerId, number[]>(ledgers.map(([ledger]) => [ledger, []]));
    const shapes = new Map<LedgerId, string>();
    for (let round = 0; round < ROUNDS; round++) {
      for (const [ledger] of ledgers) {
        statements = 0;
        const started = performance.now();
        const found = await walk(ledger, direction);
        times.get(ledger)?.push(performance.now() - started);
        if (statements !== 1) throw new Error(`a walk took ${statements} statements`);
        shapes.set(ledger, `${found.chains.length} chains, ${found.edges.length} edges`);
      }
    }
    const [few = [], many = []] = ledgers.map(([ledger]) => times.get(ledger) ?? []);
    const ratios = many.map((time, n) => time / (few[n] ?? Number.NaN));
    const [low, high] = intervalOfMedian(ratios);
    for (const [at, [ledger]] of ledgers.entries()) {
      const edges = counted.find((row) => row.ledger === ledger)?.edges ?? "0";
      const ratio = at === 0 ? "1" : `${median(ratios).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
      rows.push([direction, edges, shapes.get(ledger) ?? "", median(times.get(ledger) ?? []).toFixed(1), ratio]);
    }
  }
  console.log(table(["direction", "edges in the ledger", "returned", "p50 ms", "÷ few"], rows));
  await client.end();
} finally {
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
}
