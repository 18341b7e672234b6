import { readdir, readFile } from "node:fs/promises";

/** The processes of a PostgreSQL server: its postmaster, and what that has started. */
async function processesOf(postmaster: number): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const parents = await Promise.all(
    pids.map(async (pid) => {
      const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
      return [Number(pid), Number(/^PPid:\s*(\d+)/m.exec(status)?.[1])] as const;
    }),
  );
  return [postmaster, ...parents.filter(([, parent]) => parent === postmaster).map(([pid]) => pid)];
}

/** Stops all of a PostgreSQL server in its tracks: connections stay open, and nothing answers. Returns what lets it go on. */
export async function pausePostgres(postmaster: number): Promise<() => void> {
  // The postmaster first, so that it starts nothing more.
  process.kill(postmaster, "SIGSTOP");
  const paused = await processesOf(postmaster);
  for (const pid of paused) process.kill(pid, "SIGSTOP");
  let resumed = false;
  return () => {
    if (resumed) return;
    resumed = true;
    // The postmaster last: it would see those that still stand as hanging.
    for (const pid of paused.toReversed()) process.kill(pid, "SIGCONT");
  };
}
