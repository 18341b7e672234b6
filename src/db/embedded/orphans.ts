import { readdir, readFile, readlink, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Log } from "../log.ts";
import { EmbeddedPostgresError } from "./error.ts";
import { commandLine, signal, waitForDeath } from "./process.ts";

async function recordedPid(cluster: string): Promise<number | undefined> {
  try {
    const pid = Number.parseInt((await readFile(join(cluster, "postmaster.pid"), "utf8")).split("\n")[0] ?? "", 10);
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

async function link(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch {
    // It has ended meanwhile or belongs to another user, so it is not one of these.
    return undefined;
  }
}

/** PostgreSQL processes that use the cluster. Found on Linux only. */
async function serverProcesses(cluster: string): Promise<readonly number[]> {
  if (process.platform !== "linux") return [];
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      if ((await link(`/proc/${pid}/cwd`)) !== cluster) return undefined;
      return basename((await link(`/proc/${pid}/exe`)) ?? "").startsWith("postgres") ? Number(pid) : undefined;
    }),
  );
  return found.filter((pid) => pid !== undefined);
}

/**
 * Ends what a dead postmaster left behind. A backend notices the death only when it waits for something, so one that
 * computes would hold the shared memory, and with it the next postmaster, until its statement is done. Call while
 * holding the claim and with no postmaster running.
 */
export async function endStragglers(cluster: string, log: Log): Promise<void> {
  const pids = await serverProcesses(cluster);
  if (pids.length === 0) return;
  log.debug({ pids }, "ending the backends of a PostgreSQL that died");
  for (const pid of pids) signal(pid, "SIGQUIT");
  await Promise.all(
    pids.map(async (pid) => {
      if (!(await waitForDeath(pid, 2_000))) signal(pid, "SIGKILL");
    }),
  );
}

/**
 * Stops a postmaster that outlived the server that started it. Call while holding the claim on the directory: then
 * nobody else's can be hit. A postmaster.pid whose pid now belongs to something else is removed, as PostgreSQL itself
 * would wait for that process for ever.
 */
export async function stopOrphan(cluster: string, log: Log): Promise<void> {
  await stopOrphanedPostmaster(cluster, log);
  await endStragglers(cluster, log);
}

async function stopOrphanedPostmaster(cluster: string, log: Log): Promise<void> {
  const pid = await recordedPid(cluster);
  if (pid === undefined) return;
  const running = await commandLine(pid);
  if (running === undefined) return;
  if (!(running.includes("postgres") && running.includes(`-D ${cluster} `))) {
    log.warn({ pid }, "removing a postmaster.pid left behind by a crash: its pid belongs to another program now");
    await rm(join(cluster, "postmaster.pid"), { force: true });
    return;
  }
  log.warn({ pid }, "stopping the PostgreSQL that a killed server left behind");
  for (const [name, patience] of [
    ["SIGINT", 10_000],
    ["SIGQUIT", 10_000],
    ["SIGKILL", 5_000],
  ] as const) {
    if (!signal(pid, name) || (await waitForDeath(pid, patience))) return;
  }
  throw new EmbeddedPostgresError("STOP_FAILED", `PostgreSQL process ${pid} on ${cluster} cannot be stopped.`);
}
