// How fast actions go through the API: proposeAction, and the whole cycle to a reported outcome, against a mutation of
// the same shape that does nothing, on a bare Yoga in the same process layout. `npm run bench:api [-- --seconds 4]`.
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { settings } from "../../src/cli/options.ts";
import { openDemoTokens } from "../../src/cli/tokens.ts";
import { type Connection, openConnection } from "./api/connection.ts";
import {
  approveBody,
  claimBody,
  completeBody,
  proposeBody,
  redeemBody,
  result,
  startSessionBody,
} from "./api/requests.ts";
import { type Measurable, startProcess } from "./api/server.ts";
import { drive, type Measured, medianRun, table } from "./load.ts";

const connections = 64;
const { values } = parseArgs({
  options: { seconds: { type: "string", default: "4" }, rounds: { type: "string", default: "5" } },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);

const outcome = z.object({
  action: z.object({ id: z.string(), status: z.string(), digest: z.string() }).partial().nullish(),
  grant: z.object({ token: z.string() }).nullish(),
  userErrors: z.array(z.unknown()).length(0),
});
// Strict: an answer with `errors` beside its data is not one.
const answer = z.strictObject({ data: z.record(z.string(), outcome) });

interface Tokens {
  readonly agent: string;
  readonly approver: string;
}

/** Sends a request and sees to it that it did what it should: a fast refusal is no achievement. */
async function send(connection: Connection, body: string, token: string, status?: string) {
  const answered = await connection.post(body, token);
  const parsed = answer.safeParse(answered);
  const payload = parsed.success ? Object.values(parsed.data.data)[0] : undefined;
  if (payload === undefined || (status !== undefined && payload.action?.status !== status)) {
    throw new Error(`unexpected answer: ${JSON.stringify(answered)}`);
  }
  return { id: payload.action?.id ?? "", digest: payload.action?.digest ?? "", token: payload.grant?.token ?? "" };
}

/** A session for each conversation, so that there is one to find for every step. */
async function openSessions(server: Measurable, token: string): Promise<void> {
  const connection = await openConnection(server.url);
  try {
    for (let caller = 0; caller < connections; caller += 1) {
      await connection.post(startSessionBody({ conversationId: `bench-${caller}` }), token);
    }
  } finally {
    connection.close();
  }
}

async function cycle(connection: Connection, { agent, approver }: Tokens, conversation: string): Promise<void> {
  const { id, digest } = await send(connection, proposeBody("WRITE", conversation), agent, "PENDING");
  await send(connection, approveBody({ actionId: id, digest }), approver, "APPROVED");
  const { token } = await send(connection, claimBody({ actionId: id }), agent);
  await send(connection, redeemBody({ token, digest }), agent, "EXECUTING");
  await send(connection, completeBody({ actionId: id, outcome: "SUCCEEDED", result }), agent, "SUCCEEDED");
}

interface Contest {
  readonly name: string;
  /** Requests in one unit of work. */
  readonly requests: number;
  readonly server: Measurable;
  readonly work: (connection: Connection, conversation: string) => Promise<unknown>;
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
      await contest.work(open[caller]!, `bench-${caller}`);
      done += 1;
    });
    contest.runs.push(measured);
    contest.cpu.push((((await contest.server.cpuSeconds()) - before) * 1_000) / done);
  } finally {
    for (const connection of open) connection.close();
  }
}

function report(contests: readonly Contest[]): string {
  const [baseline] = contests.map(({ runs }) => medianRun(runs).perSecond);
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
  return table(["", "per second", "requests/s", "ratio of requests/s", "p50 ms", "p99 ms", "server CPU ms each"], rows);
}

async function makeDataDir(): Promise<string> {
  const dataDir = await mkdtemp(path.join(tmpdir(), "countersign-bench-"));
  // The built-in database runs as another user when we are root.
  await chmod(dataDir, 0o711);
  return dataDir;
}

const [dataDir, dataDirWith, dataDirWithout] = [await makeDataDir(), await makeDataDir(), await makeDataDir()];
const bare = await startProcess("bare-yoga.ts", []);
const ours = await startProcess("../../../src/cli/main.ts", ["serve", "--port", "0", "--data-dir", dataDir], {
  // Empty means unset: the built-in database, whatever this shell is set up for.
  DATABASE_URL: "",
  LOG_LEVEL: "warn",
  NODE_ENV: "development",
});
const withIdentity = await startProcess("attributing-server.ts", [dataDirWith, "with"]);
const without = await startProcess("attributing-server.ts", [dataDirWithout, "without"]);
try {
  const demo = await openDemoTokens(settings({ dataDir }));
  const tokens = { agent: await demo.sign("agent"), approver: await demo.sign("approver") };
  const other = await openDemoTokens(settings({ dataDir: dataDirWith }));
  const attributed = await other.sign("agent");
  await openSessions(withIdentity, attributed);
  const propose = (effect: "READ" | "WRITE", status: string) => (connection: Connection, conversation: string) =>
    send(connection, proposeBody(effect, conversation), tokens.agent, status);
  const contest = (name: string, requests: number, server: Measurable, work: Contest["work"]): Contest => ({
    name,
    requests,
    server,
    work,
    runs: [],
    cpu: [],
  });
  const contests = [
    contest("no-op on a bare Yoga", 1, bare, propose("READ", "ALLOWED")),
    contest("proposeAction, a read", 1, ours, propose("READ", "ALLOWED")),
    contest("proposeAction, a write", 1, ours, propose("WRITE", "PENDING")),
    contest("whole cycle of a write", 5, ours, (connection, conversation) => cycle(connection, tokens, conversation)),
  ];
  const proposeAs = (token: string) => (connection: Connection, conversation: string) =>
    send(connection, proposeBody("WRITE", conversation), token, "PENDING");
  const compared = [
    contest("proposeAction, caller known beforehand", 1, without, proposeAs("none")),
    contest("proposeAction, caller found out", 1, withIdentity, proposeAs(attributed)),
  ];
  // Interleaved, so that a slow minute of the machine falls on all of them, and each time in another order: whoever
  // comes after a server that waited finds the machine in another state.
  const all = [...contests, ...compared];
  for (let round = 0; round < rounds; round += 1) {
    const order = [...all.slice(round % all.length), ...all.slice(0, round % all.length)];
    for (const each of round % 2 === 0 ? order : order.reverse()) await measure(each);
  }
  process.stdout.write(
    `${connections} connections, median of ${rounds} interleaved rounds of ${seconds} s, Node ${process.version}, ` +
      `${cpus().length} × ${cpus()[0]?.model.trim()}\n\n${report(contests)}\n\n${report(compared)}\n`,
  );
} finally {
  await Promise.all([ours.stop(), bare.stop(), withIdentity.stop(), without.stop()]);
  for (const directory of [dataDir, dataDirWith, dataDirWithout]) await rm(directory, { recursive: true, force: true });
}
