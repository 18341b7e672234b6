import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { EmbeddedPostgresError } from "./error.ts";
import { readRecord } from "./record.ts";

export interface Claim {
  release(): void;
}

/**
 * Makes this process the only one that manages the database under `dataDir`, until it releases the claim or dies.
 *
 * A pid in a file cannot do that: pids are reused, and two processes may both find the same stale one. The kernel's
 * record locks can, for they vanish with their process; Node reaches them through SQLite's exclusive transaction on an
 * otherwise empty file.
 */
export async function claimDirectory(dataDir: string): Promise<Claim> {
  const lock = new DatabaseSync(join(dataDir, "postgres.lock"));
  try {
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (cause) {
    lock.close();
    const owner = (await readRecord(dataDir))?.owner;
    throw new EmbeddedPostgresError(
      "DATA_DIR_IN_USE",
      `DATA_DIR ${dataDir} in use by process ${owner ?? "(starting)"}: stop it, or set DATA_DIR or DATABASE_URL.`,
      { cause },
    );
  }
  return {
    release() {
      if (lock.isOpen) lock.close();
    },
  };
}
