import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { openDemoTokens } from "../../src/cli/tokens.ts";
import { loadConfig } from "../../src/config.ts";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { makeDataDir } from "./server.ts";

const root = path.resolve(import.meta.dirname, "../..");

/** The whole product as a process of its own, as `npm start` runs it. */
export interface App {
  readonly url: string;
  /** Where its probes are, and, with METRICS_PORT in its environment, its metrics. */
  readonly operationsUrl: string;
  readonly dataDir: string;
  readonly process: ChildProcess;
  /** Every line it wrote, to stdout and stderr. */
  readonly lines: readonly string[];
  token(as: DemoName): Promise<string>;
  /** What the server answers, errors included. `Data` is what the query selects. */
  gql<Data>(query: string, variables: object, as: DemoName): Promise<Answer<Data>>;
  /** The same for a caller with this access token. */
  post<Data>(query: string, variables: object, token: string): Promise<Answer<Data>>;
  /** The data of an answer that has to be without errors. */
  ask<Data>(query: string, variables: object, as: DemoName): Promise<Data>;
  /** SIGKILL, without a chance to tidy up. */
  kill(): Promise<void>;
  /** SIGTERM, and waits for the end. Answers the exit code. */
  stop(): Promise<number | null>;
}

export interface Answer<Data> {
  /** Absent when the operation was not run, null when an error reached the top. */
  readonly data?: Data | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions?: { readonly code?: string; readonly outcome?: string };
  }[];
}

export interface AppOptions {
  /** Undefined: the app runs a PostgreSQL of its own. */
  readonly databaseUrl?: string;
  /** A directory to start on again; undefined: a fresh one. */
  readonly dataDir?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export async function startApp(options: AppOptions = {}): Promise<App> {
  const dataDir = options.dataDir ?? (await makeDataDir());
  const child = spawn(process.execPath, ["src/cli/countersign.js", "serve", "--port", "0", "--data-dir", dataDir], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      ...(options.databaseUrl === undefined ? {} : { DATABASE_URL: options.databaseUrl }),
      ...options.environment,
    },
  });
  const lines: string[] = [];
  const { url, operationsUrl } = await serving(child, lines);
  const config = loadConfig({}, { dataDir, signingKeyFile: path.join(dataDir, "keys.json") });
  const tokens = await openDemoTokens(config);
  const kept = new Map<DemoName, () => Promise<string>>();
  const token = (as: DemoName) => {
    const keep = kept.get(as) ?? tokens.keep(as);
    kept.set(as, keep);
    return keep();
  };
  const post = async <Data>(query: string, variables: object, bearer: string): Promise<Answer<Data>> => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${bearer}` },
      body: JSON.stringify({ query, variables }),
    });
    return (await response.json()) as Answer<Data>;
  };
  const gql = async <Data>(query: string, variables: object, as: DemoName): Promise<Answer<Data>> =>
    post(query, variables, await token(as));
  return {
    url,
    operationsUrl,
    dataDir,
    process: child,
    lines,
    token,
    gql,
    post,
    async ask<Data>(query: string, variables: object, as: DemoName) {
      const { data, errors } = await gql<Data>(query, variables, as);
      if (data === undefined || data === null || errors !== undefined) throw new Error(JSON.stringify(errors));
      return data;
    },
    async kill() {
      child.kill("SIGKILL");
      await ended(child);
    },
    async stop() {
      child.kill("SIGTERM");
      return ended(child);
    },
  };
}

/** Removes what a stopped app left behind. */
export async function forget(app: App): Promise<void> {
  await rm(app.dataDir, { recursive: true, force: true });
}

async function serving(child: ChildProcess, lines: string[]): Promise<Pick<App, "url" | "operationsUrl">> {
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (line) => lines.push(line));
  }
  for (;;) {
    const found = lines.find((line) => line.includes('"msg":"serving"'));
    if (found !== undefined) {
      const { url, operations = url } = JSON.parse(found) as { url: string; operations?: string };
      return { url, operationsUrl: operations };
    }
    const end = child.exitCode ?? child.signalCode;
    if (end !== null) throw new Error(`the app ended with ${end}:\n${lines.join("\n")}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode;
}
