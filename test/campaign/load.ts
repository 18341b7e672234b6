// Honest clients, first alone and then beside hostile ones: `npm run campaign:load`; see README.md.
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { table } from "../bench/load.ts";
import { wholeNumber } from "./arguments.ts";
import { type Latencies, type Phase, runLoad } from "./load/run.ts";

/** How many times as long honest calls may take beside hostile ones. */
const SLOWER = 5;
const MEMORY = 2 ** 30;
const LIVEZ = 500;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    honest: { type: "string", default: "16" },
    "at-once": { type: "string", default: "1" },
  },
});
const seconds = wholeNumber("seconds", values.seconds, 1, 3_600);
const honest = wholeNumber("honest", values.honest, 2, 256);
const atOnce = wholeNumber("at-once", values["at-once"], 1, 64);
const load = () => loadavg()[0]?.toFixed(1);

const begun = load();
const { before, beside, attacked, errors } = await runLoad({ seconds, honest, atOnce });
const row = (name: string, phase: Phase, kind: "propose" | "approve") => {
  const { count, p50, p99 }: Latencies = phase[kind];
  return [`${kind}, ${name}`, (count / seconds).toFixed(0), p50.toFixed(1), p99.toFixed(1)];
};
const rows = (["propose", "approve"] as const).flatMap((kind) => [
  row("alone", before, kind),
  row("beside hostile ones", beside, kind),
]);
const ratio = (kind: "propose" | "approve") => beside[kind].p99 / before[kind].p99;
const wanted: readonly (readonly [string, string, boolean])[] = [
  ["p99 of propose, times that alone", ratio("propose").toFixed(2), ratio("propose") < SLOWER],
  ["p99 of approve, times that alone", ratio("approve").toFixed(2), ratio("approve") < SLOWER],
  [
    "honest calls refused",
    String(beside.refused.length + before.refused.length),
    beside.refused.length + before.refused.length === 0,
  ],
  ["memory of the server, MB", (beside.memory / 2 ** 20).toFixed(0), beside.memory < MEMORY],
  ["slowest /livez, ms", beside.livez.toFixed(0), beside.livez < LIVEZ],
  ["errors in the log", String(errors.length), errors.length === 0],
];
const attacks = Object.entries(attacked).map(([attack, codes]) => [
  attack,
  Object.entries(codes)
    .map(([code, count]) => `${code} ${count}`)
    .join(", "),
]);
process.stdout.write(
  `${seconds} s, ${honest} honest clients, 8 hostile ones with ${atOnce} at once, Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}, load ${begun} to ${load()}\n\n` +
    `${table(["", "per second", "p50 ms", "p99 ms"], rows)}\n\n` +
    `${table(
      ["", "found", ""],
      wanted.map(([what, found, good]) => [what, found, good ? "ok" : "too much"]),
    )}\n\n` +
    `${table(["attack", "responses"], attacks)}\n`,
);
for (const line of [...before.refused, ...beside.refused, ...errors].slice(0, 10)) process.stdout.write(`${line}\n`);
process.exitCode = wanted.every(([, , good]) => good) ? 0 : 1;
