import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import packageJson from "../../../package.json" with { type: "json" };
import { type Connection, openConnection } from "../../bench/api/connection.ts";
import { approveBody, proposeBody } from "../../bench/api/requests.ts";
import { percentile } from "../../bench/load.ts";
import { type Organizations, startOrganizations } from "../../faults/organizations.ts";
import { type App, startApp } from "../../support/app.ts";
import { makeDataDir } from "../../support/server.ts";
import type { Attacked, HostileData } from "./hostile.ts";

/** The server's heap is bounded as `npm start` bounds it. */
const [HEAP = ""] = /--max-old-space-size=\d+/.exec(packageJson.scripts.start) ?? [];

export interface LoadOptions {
  /** Of each phase: without the hostile clients, and with them. */
  readonly seconds: number;
  /** Honest clients, half of them in each organization. */
  readonly honest: number;
  /** What each of the eight hostile clients does at a time; one thing when omitted. */
  readonly atOnce?: number;
  readonly databaseUrl?: string;
}

/** What honest clients found in one phase. Times are milliseconds. */
export interface Phase {
  readonly propose: Latencies;
  readonly approve: Latencies;
  /** Codes and messages of calls of theirs that were not done. */
  readonly refused: readonly string[];
  /** The slowest response of /livez. */
  readonly livez: number;
  /** The most memory of the server, in bytes. */
  readonly memory: number;
}

export interface Latencies {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
}

export interface LoadResult {
  readonly before: Phase;
  readonly beside: Phase;
  readonly attacked: Attacked;
  /** Lines of level error that the server logged. */
  readonly errors: readonly string[];
}

interface Honest {
  readonly agent: string;
  readonly approver: string;
}

/** Has honest clients propose and approve, first alone and then beside hostile ones, on a server of their own. */
export async function runLoad({ seconds, honest, atOnce = 1, databaseUrl }: LoadOptions): Promise<LoadResult> {
  const dataDir = await makeDataDir();
  const organizations = await startOrganizations(2, dataDir);
  let app: App | undefined;
  try {
    app = await startApp({
      dataDir,
      ...(databaseUrl === undefined ? {} : { databaseUrl }),
      environment: { IDENTITY_FILE: organizations.identityFile, METRICS_PORT: "0", NODE_OPTIONS: HEAP },
    });
    const callers = await Promise.all(
      Array.from({ length: honest }, async (_, at): Promise<Honest> => {
        const organization = organizations.names[at % 2]!;
        const [agent, approver] = await Promise.all([
          organizations.token(organization, "agent"),
          organizations.token(organization, "approver"),
        ]);
        return { agent, approver };
      }),
    );
    // Compiles what is called often, which would count for the first phase alone.
    await phase(app, callers, Math.min(5, seconds / 2));
    const before = await phase(app, callers, seconds);
    const hostile = await startHostile(app.url, organizations, atOnce);
    const beside = await phase(app, callers, seconds);
    const attacked = await hostile.stop();
    const errors = app.lines.filter((line) => line.includes('"level":"error"') || line.includes('"level":"fatal"'));
    return { before, beside, attacked, errors };
  } finally {
    await app?.stop();
    await organizations.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function startHostile(url: string, organizations: Organizations, atOnce: number) {
  const tokens = await Promise.all(
    organizations.names.map(async (organization) => ({
      agent: await organizations.token(organization, "hostileAgent"),
      auditor: await organizations.token(organization, "hostileAuditor"),
    })),
  );
  // A thread of its own, so that it does not delay the clients that are measured.
  const worker = new Worker(new URL("./hostile.ts", import.meta.url), {
    workerData: { url, atOnce, tokens } satisfies HostileData,
  });
  await once(worker, "message");
  return {
    async stop(): Promise<Attacked> {
      worker.postMessage("stop");
      const [attacked] = (await once(worker, "message")) as [Attacked];
      await worker.terminate();
      return attacked;
    },
  };
}

async function phase(app: App, callers: readonly Honest[], seconds: number): Promise<Phase> {
  const end = performance.now() + seconds * 1_000;
  const times = { propose: [] as number[], approve: [] as number[] };
  const refused: string[] = [];
  const call = async (kind: keyof typeof times, connection: Connection, body: string, token: string) => {
    const started = performance.now();
    const answer = (await connection.post(body, token)) as Answer;
    times[kind].push(performance.now() - started);
    const payload = Object.values(answer.data ?? {})[0];
    if (payload?.action !== undefined && payload.userErrors.length === 0) return payload.action;
    throw new Error(JSON.stringify(answer.errors ?? payload?.userErrors));
  };
  const clients = callers.map(async ({ agent, approver }, at) => {
    let connection = await openConnection(app.url);
    while (performance.now() < end) {
      try {
        const action = await call("propose", connection, proposeBody("WRITE", `honest-${at}`), agent);
        await call("approve", connection, approveBody({ actionId: action.id, digest: action.digest }), approver);
      } catch (error) {
        refused.push(String(error));
        connection.close();
        connection = await openConnection(app.url);
      }
    }
    connection.close();
  });
  const watched = watch(app, end);
  await Promise.all(clients);
  return { propose: latencies(times.propose), approve: latencies(times.approve), refused, ...(await watched) };
}

interface Answer {
  readonly data?: Readonly<
    Record<
      string,
      { readonly action: { readonly id: string; readonly digest: string }; readonly userErrors: readonly object[] }
    >
  > | null;
  readonly errors?: readonly object[];
}

function latencies(values: number[]): Latencies {
  values.sort((one, other) => one - other);
  return { count: values.length, p50: percentile(values, 0.5), p99: percentile(values, 0.99) };
}

/** The slowest response of /livez and the most memory, looked at four times a second. */
async function watch(app: App, end: number): Promise<Pick<Phase, "livez" | "memory">> {
  let livez = 0;
  let memory = 0;
  while (performance.now() < end) {
    const started = performance.now();
    await (await fetch(new URL("/livez", app.operationsUrl))).text();
    livez = Math.max(livez, performance.now() - started);
    const status = await readFile(`/proc/${app.process.pid}/status`, "utf8");
    memory = Math.max(memory, Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1_024);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return { livez, memory };
}
