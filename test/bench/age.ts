/**
 * npm run bench:age — what an operation costs on a database with a partition for each of many months, as a ratio to the same
 * on one with few, with as many entries. Both are measured in turn in the same run; planning is part of it. Settings: MONTHS
 * ("4,32,62", the first is what the others are compared with), ENTRIES (12400), ROUNDS (15), MILLISECONDS of each
 * measurement (80), OPERATIONS (a pattern).
 */
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { createLogger } from "../../src/log.ts";
import { createAgedDatabase } from "./age/database.ts";
import { type Operations, openOperations } from "./age/operations.ts";
import { median, table } from "./load.ts";

const MONTHS = (process.env.MONTHS ?? "4,32,62").split(",").map(Number);
const ENTRIES = Number(process.env.ENTRIES ?? 12_400);
const ROUNDS = Number(process.env.ROUNDS ?? 15);
const MILLISECONDS = Number(process.env.MILLISECONDS ?? 80);
const OPERATIONS = new RegExp(process.env.OPERATIONS ?? "");

const log = createLogger("warn");
const dataDir = path.join(tmpdir(), `countersign-bench-${process.pid}`);
const postgres = await startEmbeddedPostgres({ dataDir, log });
const opened = new Map<number, Operations>();
try {
  for (const months of MONTHS) {
    process.stderr.write(`\r${months} months: recording ${ENTRIES} entries          `);
    opened.set(months, await openOperations(await createAgedDatabase(postgres.url, months, ENTRIES, log), log));
  }
  const names = [...(opened.get(MONTHS[0]!)?.each.keys() ?? [])].filter((name) => OPERATIONS.test(name));
  // Milliseconds an operation: by name and months, one of each round.
  const costs = new Map(names.map((name) => [name, new Map<number, number[]>(MONTHS.map((months) => [months, []]))]));
  for (let round = -1; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? MONTHS : MONTHS.toReversed();
    for (const name of names) {
      process.stderr.write(`\rround ${round + 1}/${ROUNDS}: ${name}`.padEnd(80));
      for (const months of order) {
        const cost = await measure(opened.get(months)!.each.get(name)!);
        // The first round warms up: plans, caches, connections.
        if (round >= 0) costs.get(name)?.get(months)?.push(cost);
      }
    }
  }
  process.stderr.write("\n");
  const [base = 0, ...others] = MONTHS;
  const rows = names.map((name) => {
    const of = (months: number) => costs.get(name)?.get(months) ?? [];
    const ratios = others.map((months) => spread(of(months).map((cost, round) => cost / of(base)[round]!)));
    return [name, (1000 * median(of(base))).toFixed(0), ...ratios];
  });
  process.stdout.write(
    `${table(["", `${base} months, µs`, ...others.map((months) => `${months} ÷ ${base}`)], rows)}\n`,
  );
} finally {
  for (const operations of opened.values()) await operations.close();
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
}

/** Milliseconds an operation takes, one after the other for as long as a measurement lasts, three times at least. */
async function measure(operation: () => Promise<void>): Promise<number> {
  const started = performance.now();
  let count = 0;
  while (count < 3 || performance.now() - started < MILLISECONDS) {
    await operation();
    count += 1;
  }
  return (performance.now() - started) / count;
}

/** The median, and the 95 % interval of the median by its order statistics. */
function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const reach = 0.98 * Math.sqrt(sorted.length);
  const at = (index: number) => sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(index)))]!.toFixed(2);
  const middle = (sorted.length - 1) / 2;
  return `${median(sorted).toFixed(2)} (${at(middle - reach)} to ${at(middle + reach)})`;
}
