import type { Pool } from "pg";
import type { Config } from "../config.ts";
import type { RegionConfig } from "../config-regions.ts";
import type { Login } from "../db/embedded/logins.ts";
import { loginUrl, readRecord } from "../db/embedded/record.ts";
import { classify } from "../db/errors.ts";
import { createPool } from "../db/pool.ts";
import { serverRole } from "../db/session.ts";
import { asError } from "../errors.ts";
import type { LedgerId } from "../facts/entry.ts";
import { createLogger } from "../log.ts";
import { CommandError } from "./exit.ts";
import { settings } from "./options.ts";

/** An option that is an address, or `true` when given without one. */
export type DatabaseOption = string | true;

const auditorRole = "oc_auditor" satisfies Login;

export interface CommandPoolOptions {
  readonly source: DatabaseOption;
  /** Whose region's database is meant when `source` names none; undefined: the home region's. */
  readonly ledger?: LedgerId | undefined;
  /** Whose built-in database is meant when `source` names none. */
  readonly dataDir?: string | undefined;
  /** Connections at most. */
  readonly max: number;
}

interface Target {
  readonly url: string;
  /** Why there may be nothing at `url`, and what to do about it. */
  readonly whenUnreachable: string;
}

/** Throws CommandError USAGE for a region that is named beside a database: there, the ledger names it. */
export function refuseRegion(region: string | undefined): void {
  if (region === undefined) return;
  throw new CommandError(
    "USAGE",
    `--region is for the API: with --database-url, pass --ledger, such as acme/${region}`,
  );
}

/** The region of `ledger`, where it is not the home region; undefined: it is, or there is none of that name. */
export function otherRegionOf({ otherRegions }: Config, ledger: LedgerId | undefined): RegionConfig | undefined {
  return otherRegions.find(({ name }) => ledger?.slice(ledger.indexOf("/") + 1) === name);
}

async function findDatabase(role: Login, { source, ledger, dataDir }: CommandPoolOptions): Promise<Target> {
  const named = (url: string) => ({
    url,
    whenUnreachable: `the database at ${URL.parse(url)?.host} cannot be reached`,
  });
  if (source !== true) return named(source);
  const config = settings(dataDir === undefined ? {} : { dataDir });
  const region = otherRegionOf(config, ledger);
  if (region !== undefined) return named(region.databaseUrl);
  if (config.databaseUrl !== undefined) return named(config.databaseUrl);
  const record = await readRecord(config.dataDir);
  if (record !== undefined) {
    const whenUnreachable =
      `no server runs on data directory ${config.dataDir}, and its database runs only while one does: ` +
      "`countersign serve` starts it";
    // Its port may be somebody else's by now, who need not be offered the password.
    if (record.pid === null) throw new CommandError("UNREACHABLE", whenUnreachable);
    const url = loginUrl(record, role);
    if (url === undefined) {
      const message = `the server on data directory ${config.dataDir} is of an earlier version: start it again`;
      throw new CommandError("UNREACHABLE", message);
    }
    return { url, whenUnreachable };
  }
  throw new CommandError(
    "USAGE",
    "no database given: pass --database-url with an address, or set DATABASE_URL or DATA_DIR.",
  );
}

/** Connects once, to distinguish an unreachable database from one that fails later. */
async function assertReachable(pool: Pool, { whenUnreachable }: Target): Promise<void> {
  try {
    (await pool.connect()).release();
  } catch (cause) {
    if (classify(cause) !== "unavailable") throw cause;
    const { message } = asError(cause);
    const reason = cause instanceof Error && "code" in cause ? String(cause.code) : message;
    throw new CommandError("UNREACHABLE", `${whenUnreachable} (${reason})`, { cause });
  }
}

/** Runs `work` on connections that may read the ledger and change nothing, whatever their login may do. */
export function withAuditorPool<Result>(
  options: CommandPoolOptions,
  work: (pool: Pool) => Promise<Result>,
): Promise<Result> {
  return withPool(auditorRole, options, work);
}

/** Runs `work` on connections that may do what a server may. */
export function withServerPool<Result>(
  options: CommandPoolOptions,
  work: (pool: Pool) => Promise<Result>,
): Promise<Result> {
  return withPool(serverRole, options, work);
}

async function withPool<Result>(
  role: Login,
  options: CommandPoolOptions,
  work: (pool: Pool) => Promise<Result>,
): Promise<Result> {
  const target = await findDatabase(role, options);
  const pool = createPool({
    connectionString: target.url,
    max: options.max,
    applicationName: "countersign-cli",
    role,
    // Re-hashing a long ledger takes as long as it takes.
    statementTimeoutMs: 0,
    log: createLogger("warn", process.stderr),
  });
  try {
    await assertReachable(pool, target);
    return await work(pool);
  } finally {
    await pool.end();
  }
}
