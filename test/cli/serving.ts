import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { makeDataDir } from "../support/server.ts";
import { waitUntil } from "../support/wait.ts";
import { type Environment, start } from "./run.ts";

/** `countersign serve` as a process of its own, on a database and a data directory of its own. */
export interface Serving {
  readonly url: string;
  readonly child: ChildProcess;
  readonly database: TestDatabase;
  /** Its DATA_DIR, removed at the end. */
  readonly dataDir: string;
  /** What a command needs in order to find this server. */
  readonly environment: Environment;
  /** What the server has written so far, logs and hints. */
  said(): string;
  /** Asks the server to stop, with SIGTERM, and answers its exit code. */
  end(): Promise<number | null>;
  /** Ends the server, if it still runs, and removes what it used. */
  close(): Promise<void>;
}

/** A server of `startServing`, whose database and DATA_DIR somebody else made and removes. */
export type ServingThere = Omit<Serving, "close">;

/** Starts `countersign serve` on a database and a data directory that are there, and waits until it listens. */
export async function serveThere(
  { database, dataDir }: Pick<Serving, "database" | "dataDir">,
  args: readonly string[] = [],
  environment: Environment = {},
): Promise<ServingThere> {
  const settings = { DATABASE_URL: database.appUrl, DATA_DIR: dataDir, ...environment };
  const child = start(["serve", "--port", "0", ...args], settings);
  let said = "";
  const listen = (chunk: Buffer) => {
    said += chunk.toString();
  };
  child.stdout?.on("data", listen);
  child.stderr?.on("data", listen);
  const ended = once(child, "exit").then(([code]: (number | null)[]) => code ?? null);
  const address = () => /Countersign serves (http:\S+)/.exec(said)?.[1];
  await waitUntil(() => {
    if (child.exitCode !== null) throw new Error(`countersign serve ended with ${child.exitCode}: ${said}`);
    return address() !== undefined;
  });
  const url = address()!;
  return {
    url,
    child,
    database,
    dataDir,
    environment: { ...settings, PORT: new URL(url).port },
    said: () => said,
    end() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

export async function startServing(args: readonly string[] = [], environment: Environment = {}): Promise<Serving> {
  const database = await createTestDatabase();
  const dataDir = await makeDataDir();
  const serving = await serveThere({ database, dataDir }, args, environment);
  const { child } = serving;
  let told = false;
  const end = () => {
    told = true;
    return serving.end();
  };
  return {
    ...serving,
    end,
    async close() {
      const died = !told && (child.exitCode !== null || child.signalCode !== null);
      if (!died) await end();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
      if (died)
        throw new Error(`the server ended by itself, with ${child.exitCode ?? child.signalCode}: ${serving.said()}`);
    },
  };
}
