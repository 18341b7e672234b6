import type { Pool } from "pg";
import { readRecord } from "../db/embedded/record.ts";
import { createPool } from "../db/pool.ts";
import { createLogger } from "../log.ts";
import { CommandError } from "./exit.ts";
import { settings } from "./options.ts";

/** An option that is an address, or `true` when given without one. */
export type DatabaseOption = string | true;

const auditorRole = "oc_auditor";

export interface AuditorPoolOptions {
  readonly source: DatabaseOption;
  /** Whose built-in database is meant when `source` names none. */
  readonly dataDir?: string | undefined;
  /** Connections at most. */
  readonly max: number;
}

async function address({ source, dataDir }: AuditorPoolOptions): Promise<string> {
  if (source !== true) return source;
  const config = settings(dataDir === undefined ? {} : { dataDir });
  const known = config.databaseUrl ?? (await readRecord(config.dataDir))?.url;
  if (known !== undefined) return known;
  throw new CommandError("USAGE", "which database? Give --database-url an address, or set DATABASE_URL or DATA_DIR.");
}

/** Runs `work` on connections that may read the ledger and change nothing, whatever their login may do. */
export async function withAuditorPool<Result>(
  options: AuditorPoolOptions,
  work: (pool: Pool) => Promise<Result>,
): Promise<Result> {
  const pool = createPool({
    connectionString: await address(options),
    max: options.max,
    applicationName: "countersign-cli",
    role: auditorRole,
    // Re-hashing a long ledger takes as long as it takes.
    statementTimeout: 0,
    log: createLogger("warn", process.stderr),
  });
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
}
