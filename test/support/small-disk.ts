import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface SmallDisk {
  /** A directory of the small filesystem, reachable for every account. */
  readonly directory: string;
  /** Leaves `bytes` free. */
  fillUpTo(bytes: number): Promise<void>;
  /** Gives back what fillUpTo took. */
  free(): Promise<void>;
  unmount(): Promise<void>;
}

/** Mounts a filesystem of `megabytes` in memory. Needs root. */
export async function mountSmallDisk(megabytes: number): Promise<SmallDisk> {
  const directory = await mkdtemp(path.join(tmpdir(), "countersign-disk-"));
  await run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=0755`, "tmpfs", directory]);
  await chmod(directory, 0o755);
  const ballast = path.join(directory, "ballast");
  return {
    directory,
    async fillUpTo(bytes) {
      const { bavail, bsize } = await statfs(directory);
      await writeFile(ballast, Buffer.alloc(Math.max(0, bavail * bsize - bytes)));
    },
    free: () => rm(ballast, { force: true }),
    async unmount() {
      await run("umount", ["-l", directory]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
