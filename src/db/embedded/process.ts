import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

async function commandLineOnLinux(pid: number): Promise<string | undefined> {
  try {
    // Empty for a zombie: dead, only not yet reaped.
    const line = await readFile(`/proc/${pid}/cmdline`, "utf8");
    return line === "" ? undefined : line.replaceAll("\0", " ");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH"))
      return undefined;
    throw error;
  }
}

async function commandLineByPs(pid: number): Promise<string | undefined> {
  try {
    return (await run("ps", ["-o", "args=", "-p", String(pid)])).stdout;
  } catch (error) {
    // ps exits with 1 when no such process exists.
    if (error instanceof Error && "code" in error && error.code === 1) return undefined;
    throw error;
  }
}

/** The arguments a living process was started with; undefined when there is no such process. */
export function commandLine(pid: number): Promise<string | undefined> {
  return process.platform === "linux" ? commandLineOnLinux(pid) : commandLineByPs(pid);
}

/** Sends a signal; false when the process is gone already. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

/** True once the process has gone, false after `milliseconds`. For processes that are not our children. */
export async function waitForDeath(pid: number, milliseconds: number): Promise<boolean> {
  const deadline = Date.now() + milliseconds;
  while ((await commandLine(pid)) !== undefined) {
    if (Date.now() >= deadline) return false;
    await sleep(25);
  }
  return true;
}
