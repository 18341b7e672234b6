import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import type { Log } from "../log.ts";
import { outliveLoss } from "../session.ts";
import { type Account, commandAs } from "./account.ts";
import { environment } from "./cluster.ts";
import { EmbeddedPostgresError } from "./error.ts";

export interface PostmasterOptions {
  readonly program: string;
  readonly cluster: string;
  readonly account: Account | undefined;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: Log;
}

export interface Postmaster {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Resolves with its last output when the process has ended; never rejects. */
  readonly ended: Promise<{ readonly how: string; readonly lastWords: string }>;
}

/**
 * Before it recovers from a crash, PostgreSQL flushes every file of the cluster, one after the other, which is most of the time
 * that recovery takes on a busy machine. Linux can flush the file system at once.
 */
const FAST_RECOVERY: Readonly<Record<string, string>> =
  process.platform === "linux" ? { recovery_init_sync_method: "syncfs" } : {};
/** Milliseconds between two attempts to connect to a server that starts: the shortest and the longest. */
const FIRST_PAUSE = 25;
const LONGEST_PAUSE = 100;

function bindable(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error) => {
      if ("code" in error && error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    probe.listen(port, "127.0.0.1", () => {
      const address = probe.address();
      const found = typeof address === "object" && address !== null ? address.port : undefined;
      probe.close(() => resolve(found));
    });
  });
}

/** `preferred` when it is free, otherwise a port that is. */
export async function freePort(preferred: number | undefined): Promise<number> {
  const port = (preferred === undefined ? undefined : await bindable(preferred)) ?? (await bindable(0));
  if (port === undefined) throw new EmbeddedPostgresError("START_FAILED", "No free port on 127.0.0.1.");
  return port;
}

/** Starts `postgres`; it does not accept connections yet. */
export function spawnPostmaster(options: PostmasterOptions, port: number): Promise<Postmaster> {
  const { program, cluster, account, log } = options;
  const settings = {
    ...FAST_RECOVERY,
    ...options.settings,
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
  };
  const args = ["-D", cluster, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
  // detached: a Ctrl-C at the terminal must reach the server alone, which stops the database when it has finished.
  const command = commandAs(account, program, args);
  const child = spawn(command.program, command.args, {
    ...command.identity,
    cwd: cluster,
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  const lastWords: string[] = [];
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on("line", (line) => {
      lastWords.push(line);
      if (lastWords.length > 10) lastWords.shift();
      log.debug({ postgres: line }, "postgres");
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("spawn", () => {
      const ended = new Promise<{ how: string; lastWords: string }>((settle) => {
        child.once("exit", (code, by) => settle({ how: by ?? `exit code ${code}`, lastWords: lastWords.join("\n") }));
      });
      if (child.pid === undefined) reject(new EmbeddedPostgresError("START_FAILED", "postgres has no pid."));
      else resolve({ pid: child.pid, child, ended });
    });
  });
}

async function accepts(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 5_000 });
  outliveLoss(client);
  try {
    await client.connect();
    await client.query("SELECT 1");
    return true;
  } catch (error) {
    // The password is ours: a refusal will not go away by waiting.
    if (error instanceof Error && "code" in error && String(error.code).startsWith("28")) {
      throw new EmbeddedPostgresError(
        "START_FAILED",
        `The built-in PostgreSQL refuses our password: ${error.message}.`,
        {
          cause: error,
        },
      );
    }
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Resolves when connections are accepted; recovery after a crash may take long, so only the process's end is failure. */
export async function waitUntilReady(postmaster: Postmaster, url: string): Promise<void> {
  let end: Awaited<Postmaster["ended"]> | undefined;
  void postmaster.ended.then((value) => {
    end = value;
  });
  for (let pause = FIRST_PAUSE; !(await accepts(url)); pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    if (end !== undefined) {
      throw new EmbeddedPostgresError("START_FAILED", `postgres did not start (${end.how}): ${end.lastWords}`);
    }
    await sleep(pause);
  }
}
