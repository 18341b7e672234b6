import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** A server in a process of its own, on the same Node as this one. */
export interface Measurable {
  readonly url: string;
  /** CPU time the process has used, seconds. */
  cpuSeconds(): Promise<number>;
  /** Memory the process has in use, MB. */
  memory(): Promise<number>;
  stop(): Promise<void>;
}

const addressPattern = /(http:\/\/127\.0\.0\.1:\d+\/graphql)/;
const startTimeout = 60_000;

async function addressOf(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = "";
  const listen = (chunk: Buffer) => {
    said += chunk.toString();
    const address = addressPattern.exec(said)?.[1];
    if (address !== undefined) resolve(address);
  };
  child.stdout?.on("data", listen);
  child.stderr?.on("data", listen);
  child.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
  const timer = setTimeout(() => reject(new Error(`no address within ${startTimeout} ms: ${said}`)), startTimeout);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** Starts `script`, a path from this folder or an absolute one, and waits for the address it prints. */
export async function startProcess(
  script: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Measurable> {
  const file = path.isAbsolute(script) ? script : fileURLToPath(new URL(script, import.meta.url));
  // Options of this Node go along: `node --cpu-prof test/bench/api.ts` profiles the servers as well.
  const child = spawn(process.execPath, [...process.execArgv, file, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  const url = await addressOf(child);
  return {
    url,
    async cpuSeconds() {
      // utime and stime, in hundredths of a second (proc_pid_stat(5)); the name before them may hold spaces.
      const stat = await readFile(`/proc/${child.pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    async memory() {
      const status = await readFile(`/proc/${child.pid}/status`, "utf8");
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_024;
    },
    async stop() {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}
