import { join } from "node:path";
import { type FileLock, tryLock } from "../../files.ts";
import { EmbeddedPostgresError } from "./error.ts";
import { readRecord } from "./record.ts";

/** Makes this process the only one that manages the database under `dataDir`, until it releases the claim or dies. */
export async function claimDirectory(dataDir: string): Promise<FileLock> {
  const lock = tryLock(join(dataDir, "postgres.lock"));
  if (lock !== undefined) return lock;
  const owner = (await readRecord(dataDir))?.owner;
  throw new EmbeddedPostgresError(
    "DATA_DIR_IN_USE",
    `DATA_DIR ${dataDir} in use by process ${owner ?? "(starting)"}: stop it, or set DATA_DIR or DATABASE_URL.`,
  );
}
