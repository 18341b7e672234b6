// What windows over many entries cost: reading one as a whole, as the first proposal of a server does, and then with each proposal, against a
// proposal without any. `npm run bench:windows -- --help`; see README.md.
import { rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import path from "node:path";
import { Client } from "pg";
import { v7 as uuidv7 } from "uuid";
import { startProgress } from "../../src/cli/progress.ts";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { migrate } from "../../src/db/migrate.ts";
import { createPool } from "../../src/db/pool.ts";
import { createKnownWindows } from "../../src/domain/actions/proposing/known-windows.ts";
import { seal } from "../../src/facts/commitment.ts";
import { callAppend, type Draft } from "../../src/ledger/appending/call.ts";
import { readWindowValues, type WindowAsked, type WindowCondition } from "../../src/ledger/windows.ts";
import { createLogger } from "../../src/log.ts";
import { indexReads } from "../support/index-reads.ts";
import { createLedgers } from "../support/ledgers.ts";
import { intervalOfMedian, median, percentile, table } from "./load.ts";
import { readOptions } from "./options.ts";
import { fill, LEDGER } from "./windows/database.ts";

const options = readOptions(
  "Windows over many entries: the first read, and proposals with them against proposals without.",
  {
    entries: { says: "size of the ledger", unit: "entries", from: 1_000, to: 10_000_000, otherwise: 1_000_000 },
    rounds: {
      says: "proposals with each window and without, in turn",
      unit: "rounds",
      from: 1,
      to: 100_000,
      otherwise: 300,
    },
    reads: { says: "first reads of each window", unit: "reads", from: 1, to: 100, otherwise: 5 },
  },
);

const DAY = 86_400;
const asked = (seconds: number, more: Omit<WindowAsked, "ledger" | "seconds">): WindowAsked => ({
  ledger: LEDGER,
  seconds,
  ...more,
});
/** The last two begin among the entries, so that some become too old between two proposals. */
const WINDOWS: readonly (readonly [name: string, window: WindowAsked])[] = [
  ['count("24h", "organization")', asked(DAY, { scope: "organization", id: "" })],
  ['sum("24h", "amount", "organization")', asked(DAY, { scope: "organization", id: "", measure: "amount" })],
  ['sum("24h", "amount")', asked(DAY, { scope: "agent", id: "agent1", measure: "amount" })],
  ['sum("24h", "amount", "person")', asked(DAY, { scope: "person", id: "person1", measure: "amount" })],
  [
    'count("30m", "organization", "tool")',
    asked(1_800, { scope: "organization", id: "", platform: "vouchers", tool: "tool3" }),
  ],
  ['sum("30m", "amount", "organization")', asked(1_800, { scope: "organization", id: "", measure: "amount" })],
];

/** A proposal of `agent1`. */
function draft(windows: readonly WindowCondition[] = []): Draft {
  const id = uuidv7();
  const actor = { id: "agent1", kind: "AGENT", roles: [], groups: [] };
  const action = uuidv7();
  const states = [{ kind: "ACTION", id: action, version: 1, state: { approvals: 0, status: "PENDING" } }];
  const body = {
    action,
    actor,
    id,
    measures: { amount: "5" },
    platform: "vouchers",
    states,
    tool: "tool1",
    type: "ACTION_PROPOSED",
  };
  return { id, ...seal(body), windows };
}

const log = createLogger("warn");
const dataDir = path.join(tmpdir(), `countersign-bench-${process.pid}`);
const postgres = await startEmbeddedPostgres({ dataDir, log });
const client = new Client({ connectionString: postgres.url });
try {
  await migrate({ connectionString: postgres.url, log });
  await client.connect();
  const pool = createPool({ connectionString: postgres.url, max: 4, applicationName: "bench", log });
  const ledgers = createLedgers({ pool, capacity: 10_000 });
  await ledgers.ensure(LEDGER);
  const progress = startProgress("entries", options.entries);
  await fill(client, options.entries, (made) => progress.advance(made));
  progress.finish();

  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const started = performance.now();
    await work();
    return performance.now() - started;
  };
  const whole: string[][] = [];
  for (const [name, window] of WINDOWS) {
    await client.query("BEGIN");
    const before = await indexReads(client);
    const [read] = await readWindowValues(client, [window]);
    const after = await indexReads(client);
    const explained = await client.query<{
      "QUERY PLAN": readonly { readonly Plan: Readonly<Record<string, number>> }[];
    }>(
      "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT oc_window($1, $2, now() - make_interval(secs => $3), $4, $5, $6, $7, $8, $9)",
      [
        LEDGER,
        options.entries + 1,
        window.seconds,
        window.scope,
        window.id,
        window.platform ?? null,
        window.tool ?? null,
        window.measure ?? null,
        options.entries,
      ],
    );
    await client.query("COMMIT");
    const plan = explained.rows[0]?.["QUERY PLAN"][0]?.Plan;
    const buffers = Number(plan?.["Shared Hit Blocks"]) + Number(plan?.["Shared Read Blocks"]);
    const rows = [...after].flatMap(([index, count]) => {
      const more = count - (before.get(index) ?? 0);
      return more > 0 ? [`${index} ${more}`] : [];
    });
    const times: number[] = [];
    for (let n = 0; n < options.reads; n += 1) {
      times.push(await timed(() => createKnownWindows(pool).read(new Map([[name, window]]))));
    }
    whole.push([
      name,
      read?.value ?? "",
      median(times).toFixed(0),
      Math.max(...times).toFixed(0),
      rows.join(", "),
      String(buffers),
    ]);
    process.stderr.write(`${name}: read as a whole\n`);
  }

  const known = createKnownWindows(pool);
  const append = async (windows: readonly WindowCondition[]): Promise<void> => {
    const [result] = await callAppend(pool, LEDGER, [draft(windows)]);
    if (result?.refusal !== undefined) throw new Error(`refused: ${result.refusal}`);
  };
  /** As a proposal does: reads the window by what it was before, and records what it was. */
  const withWindow = (name: string, window: WindowAsked) => async () => {
    const read = (await known.read(new Map([[name, window]]))).get(name);
    if (read === undefined) throw new Error("the window was not read");
    const { ledger: _, seconds: __, ...scope } = window;
    await append([{ ...scope, after: read.head, value: "0" }]);
  };
  const contests = [
    ["none", () => append([])] as const,
    ...WINDOWS.map(([name, window]) => [name, withWindow(name, window)] as const),
  ];
  for (const [, work] of contests) await work();
  const times = contests.map((): number[] => []);
  for (let round = 0; round < options.rounds; round += 1) {
    const order = [...contests.keys()];
    for (const at of round % 2 === 0 ? order : order.reverse()) times[at]!.push(await timed(contests[at]![1]));
  }
  const share = (values: readonly number[], of: number) =>
    percentile(
      [...values].sort((a, b) => a - b),
      of,
    ).toFixed(2);
  const later = contests.map(([name], at) => {
    const ratios = times[at]!.map((value, round) => value / times[0]![round]!);
    const [low, high] = intervalOfMedian(ratios);
    return [
      name,
      share(times[at]!, 0.5),
      share(times[at]!, 0.95),
      `${median(ratios).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`,
    ];
  });
  await ledgers.close();
  await pool.end();
  process.stdout.write(
    `${options.entries} entries, ${options.rounds} rounds, Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}; in brackets ` +
      `the 95 % interval of the median\n\n` +
      `${table(["read as a whole", "value", "median ms", "longest ms", "rows read, by index", "buffers"], whole)}\n\n` +
      `${table(["a proposal, recorded alone, by its window", "p50 ms", "p95 ms", "÷ without"], later)}\n`,
  );
} finally {
  await client.end();
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
}
