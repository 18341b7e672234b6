import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "../../files.ts";
import { exists } from "./cluster.ts";
import { EmbeddedPostgresError } from "./error.ts";

/** The folder of a data directory in which a backup is restored before it is put in place. */
export const RESTORING = "restore.new";

/** Throws RESTORE_UNFINISHED where a restore was interrupted: a server would begin with an empty database in place of the backup's. */
export async function assertNotRestoring(dataDir: string): Promise<void> {
  if (!(await exists(join(dataDir, RESTORING))) || (await exists(join(dataDir, "postgres")))) return;
  throw new EmbeddedPostgresError(
    "RESTORE_UNFINISHED",
    `A restore into DATA_DIR ${dataDir} was interrupted, so it holds no database yet: run \`countersign restore\` again.`,
  );
}

/**
 * Moves a restored cluster to its place in the data directory. The caller must hold the lock of the data directory. The cluster itself is
 * moved last; until then the restore counts as unfinished.
 */
export async function putInPlace(dataDir: string): Promise<void> {
  const from = join(dataDir, RESTORING);
  await rename(join(from, "postgres.json"), join(dataDir, "postgres.json"));
  await syncDirectory(dataDir);
  await rename(join(from, "postgres"), join(dataDir, "postgres"));
  await syncDirectory(dataDir);
  await rm(from, { recursive: true, force: true });
}
