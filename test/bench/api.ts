// How fast actions go through the API: proposeAction, and the whole cycle to a reported outcome, against a mutation of
// the same shape that does nothing, on a bare Yoga in the same process layout. `npm run bench:api [-- --seconds 4]`.
import { rm } from "node:fs/promises";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { settings } from "../../src/cli/options.ts";
import { openDemoTokens } from "../../src/cli/tokens.ts";
import { makeDataDir } from "../support/server.ts";
import { openConnection } from "./api/connection.ts";
import { type Measurable, startProcess } from "./api/server.ts";
import { HERE, startProduct } from "./api/servers.ts";
import { conversationOf, cycling, openSessions, proposing, proposingTogether, type Work } from "./api/work.ts";
import { drive, type Measured, medianRun, table } from "./load.ts";

const connections = 64;
/** Actions that one request proposes, where it proposes several. */
const BATCH = 16;
const { values } = parseArgs({
  options: { seconds: { type: "string", default: "4" }, rounds: { type: "string", default: "5" } },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);

interface Contest {
  readonly name: string;
  /** Requests in one unit of work, or proposals. */
  readonly requests: number;
  readonly server: Measurable;
  readonly work: Work;
  readonly runs: Measured[];
  /** Milliseconds of the server process's CPU per unit of work, a value a round. */
  readonly cpu: number[];
}

async function measure(contest: Contest): Promise<void> {
  const open = await Promise.all(Array.from({ length: connections }, () => openConnection(contest.server.url)));
  let done = 0;
  const before = await contest.server.cpuSeconds();
  try {
    const measured = await drive(connections, seconds, async (caller) => {
      await contest.work(open[caller]!, conversationOf(caller), () => undefined);
      done += 1;
    });
    contest.runs.push(measured);
    contest.cpu.push((((await contest.server.cpuSeconds()) - before) * 1_000) / done);
  } finally {
    for (const connection of open) connection.close();
  }
}

function report(contests: readonly Contest[], counted = "requests"): string {
  const [baseline] = contests.map(({ runs, requests }) => medianRun(runs).perSecond * requests);
  const rows = contests.map(({ name, requests, runs, cpu }) => {
    const { perSecond, p50, p99 } = medianRun(runs);
    const ratio = (perSecond * requests) / (baseline ?? Number.NaN);
    const cpuEach = [...cpu].sort((a, b) => a - b)[cpu.length >> 1] ?? Number.NaN;
    return [
      name,
      perSecond.toFixed(0),
      (perSecond * requests).toFixed(0),
      ratio.toFixed(2),
      p50.toFixed(1),
      p99.toFixed(1),
      cpuEach.toFixed(2),
    ];
  });
  const head = ["", "per second", `${counted}/s`, `ratio of ${counted}/s`, "p50 ms", "p99 ms", "server CPU ms each"];
  return table(head, rows);
}

const [dataDirWith, dataDirWithout] = [await makeDataDir(), await makeDataDir()];
const bare = await startProcess("bare-yoga.ts", []);
const ours = await startProduct(HERE);
const withIdentity = await startProcess("attributing-server.ts", [dataDirWith, "with"]);
const without = await startProcess("attributing-server.ts", [dataDirWithout, "without"]);
try {
  const other = await openDemoTokens(settings({ dataDir: dataDirWith }));
  const attributed = await other.sign("agent");
  await openSessions(withIdentity.url, attributed, connections);
  const { tokens } = ours;
  const contest = (name: string, requests: number, server: Measurable, work: Contest["work"]): Contest => ({
    name,
    requests,
    server,
    work,
    runs: [],
    cpu: [],
  });
  const alone = contest("proposeAction, a write", 1, ours, proposing("WRITE", tokens.agent));
  const contests = [
    contest("no-op on a bare Yoga", 1, bare, proposing("READ", tokens.agent)),
    contest("proposeAction, a read", 1, ours, proposing("READ", tokens.agent)),
    alone,
    contest("whole cycle of a write", 5, ours, cycling(tokens)),
  ];
  const compared = [
    contest("proposeAction, caller known beforehand", 1, without, proposing("WRITE", "none")),
    contest("proposeAction, caller found out", 1, withIdentity, proposing("WRITE", attributed)),
  ];
  const batch = contest(
    `proposeActions, ${BATCH} writes`,
    BATCH,
    ours,
    proposingTogether("WRITE", tokens.agent, BATCH),
  );
  // Interleaved, so that a slow minute of the machine falls on all of them, and each time in another order: whoever
  // comes after a server that waited finds the machine in another state.
  const all = [...contests, ...compared, batch];
  for (let round = 0; round < rounds; round += 1) {
    const order = [...all.slice(round % all.length), ...all.slice(0, round % all.length)];
    for (const each of round % 2 === 0 ? order : order.reverse()) await measure(each);
  }
  process.stdout.write(
    `${connections} connections, median of ${rounds} interleaved rounds of ${seconds} s, Node ${process.version}, ` +
      `${cpus().length} × ${cpus()[0]?.model.trim()}\n\n${report(contests)}\n\n${report(compared)}\n\n${report([alone, batch], "proposals")}\n`,
  );
} finally {
  await Promise.all([ours.stop(), bare.stop(), withIdentity.stop(), without.stop()]);
  for (const directory of [dataDirWith, dataDirWithout]) await rm(directory, { recursive: true, force: true });
}
