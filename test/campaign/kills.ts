// Two servers on one database under load, and SIGKILL at random moments: `npm run campaign:kills`; see kills.md.
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { type KillCycle, runKills } from "../faults/kill-cycles.ts";
import { wholeNumber } from "./arguments.ts";

const LEDGERS = 4;
/** Seconds from a kill until calls succeed again. */
const MEDIAN = 5;
const WORST = 15;
/** Everything is verified again and again, also in the middle of a recovery. */
const ENVIRONMENT = { WATCH_SHARE: "20", WATCH_INTERVAL: "2", WATCH_WHOLE_INTERVAL: "60" };

const { values } = parseArgs({
  options: {
    cycles: { type: "string", default: "60" },
    clients: { type: "string", default: "32" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const count = wholeNumber("cycles", values.cycles, 1, 100_000);
const clients = wholeNumber("clients", values.clients, 1, 1_000);
const seed = wholeNumber("seed", values.seed, 0, 2 ** 31);

function log(line: string): void {
  process.stdout.write(`${line}\n`);
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const isDatabase = ({ killed }: KillCycle) => killed.includes("database") || killed.includes("backend");

/** A row of the table of recoveries. */
function row(name: string, cycles: readonly KillCycle[]): string {
  const columns = [cycles.map(({ recovery }) => recovery), cycles.map(({ anywhere }) => anywhere)];
  const cells = columns.flatMap((seconds) => [medianOf(seconds).toFixed(1), Math.max(0, ...seconds).toFixed(1)]);
  return `| ${[name, cycles.length, ...cells].join(" | ")} |`;
}

const load = () =>
  loadavg()
    .map((value) => value.toFixed(1))
    .join(" ");
const before = load();
const began = performance.now();
log(
  `seed ${seed}: ${count} cycles, ${clients} clients, ${LEDGERS} ledgers, 2 servers; ${cpus().length} cores, load ${before}`,
);

const result = await runKills({
  cycles: count,
  clients,
  ledgers: LEDGERS,
  seed,
  environment: ENVIRONMENT,
  onCycle({ number, killed, steps, recovery }, { recorded, faults }) {
    const times = [...steps].map(([step, seconds]) => `${step} ${seconds.toFixed(1)}`).join(", ");
    log(
      `${number}/${count} ${killed.join(" and ")}: ${recovery.toFixed(1)} s (${times}); ` +
        `${recorded.length} acknowledged, ${faults.length} faults`,
    );
  },
});

const { cycles, faults } = result;
const single = cycles.filter(({ killed }) => killed.length === 1);
log(`
| killed | times | each server: median s | worst s | any server: median s | worst s |
| --- | ---: | ---: | ---: | ---: | ---: |
${row("the database, or a backend", single.filter(isDatabase))}
${row(
  "a server",
  single.filter((cycle) => !isDatabase(cycle)),
)}
${row(
  "two at once",
  cycles.filter(({ killed }) => killed.length > 1),
)}
${row("all", cycles)}

${result.load.recorded.length} calls acknowledged in ${result.load.finished()} whole cycles, ${result.load.unknown()} of unknown outcome, \
in ${((performance.now() - began) / 1_000).toFixed(0)} s; load at the end ${load()}`);
for (const [what, times] of [...result.load.turnedAway].sort(([, a], [, b]) => b - a)) log(`  ${times} × ${what}`);

const recoveries = cycles.map(({ recovery }) => recovery);
const late = medianOf(recoveries) >= MEDIAN || Math.max(...recoveries) >= WORST;
if (late) log(`calls succeed again too late: wanted are a median below ${MEDIAN} s and at most ${WORST} s`);
for (const fault of faults.slice(0, 50)) log(`FAULT ${fault}`);
log(faults.length === 0 ? "0 faults" : `${faults.length} faults`);
if (faults.length > 0 || late || cycles.length < count) {
  log(`repeat with: npm run campaign:kills -- --cycles ${count} --clients ${clients} --seed ${seed}`);
  process.exitCode = 1;
}
