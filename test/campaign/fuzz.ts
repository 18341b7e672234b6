// Hostile input at every door of the product: `npm run fuzz`; see README.md.
import { parseArgs } from "node:util";
import { wholeNumber } from "./arguments.ts";
import { runFuzz, TARGET_NAMES, type TargetName } from "./fuzz/run.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "1800" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    only: { type: "string" },
  },
});
const seconds = wholeNumber("seconds", values.seconds, 1, 1_000_000);
const seed = wholeNumber("seed", values.seed, 0, 2 ** 30);
const targets = TARGET_NAMES.filter((name) => values.only === undefined || name === values.only);
if (targets.length === 0)
  throw new RangeError(`--only has to be one of ${TARGET_NAMES.join(", ")}, not ${values.only}`);

function log(line: string): void {
  process.stdout.write(`${line}\n`);
}

function listed(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
}

const INTERVAL = 10_000;
let shown = 0;
log(`seed ${seed}: ${targets.join(", ")}, ${seconds} s`);
const began = performance.now();
const result = await runFuzz({
  seed,
  seconds,
  targets: targets as readonly TargetName[],
  onProgress(inputs, faults) {
    const passed = performance.now() - began;
    if (passed - shown < INTERVAL) return;
    shown = passed;
    log(`${Math.round(passed / 1_000)} s: ${inputs} inputs, ${faults} faults`);
  },
});
log(`inputs: ${listed(result.inputs)}`);
log(`outcomes: ${listed(result.outcomes)}`);
log(`${result.entries} entries: ${listed(result.types)}`);
for (const fault of result.faults) log(`FAULT ${fault}`);
log(`${result.faults.length} faults`);
if (result.faults.length > 0) {
  log(
    `repeat with: npm run fuzz -- --seed ${seed} --seconds ${seconds}, or with the seed of a fault and --only <target>`,
  );
  process.exitCode = 1;
}
