// Many who decide and start the same actions on two servers: `npm run campaign:quorum`; see README.md.
import { parseArgs } from "node:util";
import { table } from "../bench/load.ts";
import { startTestServer } from "../support/server.ts";
import { wholeNumber } from "./arguments.ts";
import { runQuorum } from "./quorum/run.ts";

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "32" },
    tries: { type: "string", default: "200" },
    actions: { type: "string", default: "200" },
  },
});
const clients = wholeNumber("clients", values.clients, 1, 256);
const tries = wholeNumber("tries", values.tries, 1, 10_000);
const actions = wholeNumber("actions", values.actions, 1, 10_000);

const server = await startTestServer();
try {
  const started = performance.now();
  const { outcomes, faults, statuses, verdict, version } = await runQuorum({
    databaseUrl: server.url,
    clients,
    tries,
    actions,
  });
  const seconds = (performance.now() - started) / 1_000;
  const rows = Object.entries(outcomes).toSorted(([one], [other]) => (one < other ? -1 : 1));
  process.stdout.write(
    `${table(
      ["attempt: outcome", "times"],
      rows.map(([what, times]) => [what, String(times)]),
    )}\n\n`,
  );
  const now = Object.entries(statuses).map(([status, count]) => `${count} ${status}`);
  process.stdout.write(
    `${clients} clients, ${tries} tries each, ${actions} actions under version ${version}: ${now.join(", ")}\n` +
      `${faults.length} faults, ${verdict}, ${seconds.toFixed(0)} s\n`,
  );
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  if (faults.length > 0 || verdict !== "INTACT") process.exitCode = 1;
} finally {
  await server.stop();
}
