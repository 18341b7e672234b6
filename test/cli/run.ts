import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { text } from "node:stream/consumers";

export const root = path.resolve(import.meta.dirname, "../..");
const program = path.join(root, "src/cli/countersign.js");

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Environment = Readonly<Record<string, string>>;

/** Settings of the shell that runs the tests must not reach the commands. */
const neutral: Environment = {
  DATABASE_URL: "",
  MIGRATION_DATABASE_URL: "",
  DATA_DIR: "",
  HOST: "",
  PORT: "",
  CATALOG: "",
  GUARD_EXCEPTIONS: "",
  NODE_ENV: "",
};

/** Starts `countersign <args>` as a shell would. */
export function start(args: readonly string[], environment: Environment = {}): ChildProcess {
  return spawn(process.execPath, [program, ...args], {
    cwd: root,
    env: { ...process.env, ...neutral, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs `countersign <args>` to its end. */
export async function countersign(args: readonly string[], environment: Environment = {}): Promise<Finished> {
  const child = start(args, environment);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, "exit")]);
  return { code, stdout, stderr };
}
