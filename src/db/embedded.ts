import { mkdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, escapeIdentifier } from "pg";
import { asError } from "../errors.ts";
import type { FileLock } from "../files.ts";
import { type Account, assertReachable, chooseAccount } from "./embedded/account.ts";
import { type Binaries, findBinaries } from "./embedded/binaries.ts";
import { claimDirectory } from "./embedded/claim.ts";
import { createCluster, exists, newPassword, resetPassword, superuser } from "./embedded/cluster.ts";
import { EmbeddedPostgresError } from "./embedded/error.ts";
import { type Login, letIn } from "./embedded/logins.ts";
import { assertSameMajor } from "./embedded/major.ts";
import { endStragglers, stopOrphan } from "./embedded/orphans.ts";
import {
  freePort,
  type Postmaster,
  type PostmasterOptions,
  spawnPostmaster,
  waitUntilReady,
} from "./embedded/postmaster.ts";
import { type ClusterRecord, clusterUrl, DATABASE, loginUrl, readRecord, writeRecord } from "./embedded/record.ts";
import { assertNotRestoring } from "./embedded/restoring.ts";
import type { Log } from "./log.ts";
import { outliveLoss } from "./session.ts";

export { EmbeddedPostgresError } from "./embedded/error.ts";

const startAttempts = 5;
const longestPause = 5_000;
const fastShutdownPatience = 60_000;

export interface EmbeddedPostgresOptions {
  /** Holds `postgres/` (the cluster), `postgres.json` (how to reach it, secret) and `postgres.lock`. Made when absent. */
  readonly dataDir: string;
  readonly log: Log;
  /** Server settings on the command line; they win over postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The server process died and is back on the same port. */
  readonly onRestart?: () => void;
}

export interface EmbeddedPostgres {
  /** Superuser URL of database `countersign`, for migrations. */
  readonly url: string;
  /**
   * Lets the server and the commands that read log in without a superuser, once the database is migrated. Resolves with the address
   * for `login`; those of the others are in postgres.json.
   */
  letIn(login: Login): Promise<string>;
  /** The postmaster at this moment; another one after a restart. */
  readonly pid: number;
  /** Fast shutdown: open transactions roll back, committed ones are on disk. Idempotent. */
  stop(): Promise<void>;
}

async function prepareCluster(
  dataDir: string,
  binaries: Binaries,
  account: Account | undefined,
  log: Log,
): Promise<ClusterRecord> {
  const cluster = join(dataDir, "postgres");
  const initialised = await exists(join(cluster, "PG_VERSION"));
  if (initialised) {
    await assertReachable(account, cluster, "write");
    await assertSameMajor(dataDir, binaries.postgres);
    await stopOrphan(cluster, log);
  }
  const known = await readRecord(dataDir);
  const secret = { user: superuser, password: known?.password ?? newPassword() };
  const port = await freePort(known?.port);
  const record = { ...secret, port, url: clusterUrl({ ...secret, port }, DATABASE), pid: null, owner: process.pid };
  if (!initialised) {
    log.info({ cluster }, "creating the built-in PostgreSQL database");
    // The password must be on disk before the cluster that knows it.
    await writeRecord(dataDir, record);
    await createCluster(binaries, dataDir, account, record.password);
    return record;
  }
  if (known === undefined) {
    log.warn({ dataDir }, "postgres.json is lost or unreadable: giving the superuser a new password");
    await resetPassword(binaries, cluster, account, record.password);
  }
  await writeRecord(dataDir, record);
  return record;
}

async function ensureDatabase(record: ClusterRecord): Promise<void> {
  const client = new Client({ connectionString: clusterUrl(record, "postgres"), connectionTimeoutMillis: 10_000 });
  outliveLoss(client);
  await client.connect();
  try {
    const { rowCount } = await client.query("SELECT FROM pg_database WHERE datname = $1", [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${escapeIdentifier(DATABASE)}`);
  } finally {
    await client.end();
  }
}

/** Keeps one postmaster running until stopped. */
class Supervisor implements EmbeddedPostgres {
  readonly url: string;
  readonly #options: PostmasterOptions;
  readonly #dataDir: string;
  readonly #claim: FileLock;
  readonly #onRestart: () => void;
  #record: ClusterRecord;
  #postmaster: Postmaster;
  #revival: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;
  readonly #stopping = new AbortController();
  /** The process ends without stop(): ask the database to end too. If that fails, the next start stops it. */
  readonly #atExit = () => {
    this.#postmaster.child.kill("SIGINT");
  };

  constructor(
    first: Postmaster,
    about: {
      record: ClusterRecord;
      dataDir: string;
      claim: FileLock;
      options: PostmasterOptions;
      onRestart: () => void;
    },
  ) {
    this.#postmaster = first;
    this.#record = about.record;
    this.#dataDir = about.dataDir;
    this.#claim = about.claim;
    this.#options = about.options;
    this.#onRestart = about.onRestart;
    this.url = about.record.url;
    process.on("exit", this.#atExit);
    this.#watch(first);
  }

  get pid(): number {
    return this.#postmaster.pid;
  }

  async letIn(login: Login): Promise<string> {
    this.#record = { ...this.#record, logins: await letIn(this.url) };
    await writeRecord(this.#dataDir, this.#record);
    return loginUrl(this.#record, login)!;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#shutDown();
    return this.#stopped;
  }

  #watch(postmaster: Postmaster): void {
    void postmaster.ended.then(({ how, lastWords }) => {
      if (this.#stopping.signal.aborted) return;
      this.#options.log.error(
        { pid: postmaster.pid, how, lastWords },
        "the built-in PostgreSQL died, starting it again",
      );
      this.#revival = this.#revive();
    });
  }

  /** Until it succeeds: backends of the dead postmaster hold its shared memory for a moment, and a full disk may empty. */
  async #revive(): Promise<void> {
    const { log } = this.#options;
    for (let pause = 50; !this.#stopping.signal.aborted; pause = Math.min(pause * 2, longestPause)) {
      try {
        await endStragglers(this.#options.cluster, log);
        if (this.#stopping.signal.aborted) return;
        this.#postmaster = await spawnPostmaster(this.#options, this.#record.port);
        if (this.#stopping.signal.aborted) return;
        // Who else has the superuser's password may have changed it: the server needs it at its start alone.
        const url = loginUrl(this.#record, "oc_app") ?? clusterUrl(this.#record, "postgres");
        await waitUntilReady(this.#postmaster, url);
        break;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        log.warn({ err: error, pause }, "the built-in PostgreSQL does not start, trying again");
        await sleep(pause, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
    if (this.#stopping.signal.aborted) return;
    this.#watch(this.#postmaster);
    log.info({ pid: this.#postmaster.pid }, "the built-in PostgreSQL is back");
    await this.#note({ pid: this.#postmaster.pid, owner: process.pid });
    this.#onRestart();
  }

  /** The pids in the record are for people to read: a disk too full to write them is no reason to stop. */
  async #note(pids: Pick<ClusterRecord, "pid" | "owner">): Promise<void> {
    this.#record = { ...this.#record, ...pids };
    try {
      await writeRecord(this.#dataDir, this.#record);
    } catch (error) {
      this.#options.log.warn({ err: error }, "postgres.json cannot be written and is out of date");
    }
  }

  async #shutDown(): Promise<void> {
    this.#stopping.abort();
    this.#postmaster.child.kill("SIGINT");
    // A revival under way either sees the signal to stop or has started a postmaster that must be stopped as well.
    await this.#revival;
    const { child, pid, ended } = this.#postmaster;
    child.kill("SIGINT");
    const impatience = setTimeout(() => {
      this.#options.log.warn(
        { pid },
        "PostgreSQL takes too long to stop: immediate shutdown, it recovers at the next start",
      );
      child.kill("SIGQUIT");
    }, fastShutdownPatience);
    await ended;
    clearTimeout(impatience);
    process.off("exit", this.#atExit);
    await this.#note({ pid: null, owner: null });
    this.#claim.release();
  }
}

async function firstStart(options: PostmasterOptions, dataDir: string, initial: ClusterRecord) {
  let record = initial;
  for (let attempt = 1; ; attempt += 1) {
    const postmaster = await spawnPostmaster(options, record.port);
    try {
      await waitUntilReady(postmaster, clusterUrl(record, "postgres"));
      await ensureDatabase(record);
      record = { ...record, pid: postmaster.pid };
      await writeRecord(dataDir, record);
      return { postmaster, record };
    } catch (error) {
      postmaster.child.kill("SIGINT");
      await postmaster.ended;
      if (attempt === startAttempts) throw error;
      options.log.warn({ err: error, attempt }, "the built-in PostgreSQL does not start, trying again");
      // Somebody may have taken the port since we looked, or backends of a killed postmaster may still be leaving.
      await sleep(100 * 2 ** attempt);
      const port = await freePort(record.port);
      record = { ...record, port, url: clusterUrl({ ...record, port }, DATABASE) };
    }
  }
}

/**
 * Runs the PostgreSQL that npm ships, a real server process listening on 127.0.0.1 only, and starts it again when it
 * dies. One process per `dataDir`: a second is refused with `DATA_DIR_IN_USE`; a postmaster that a killed server left
 * behind is stopped first.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { log, onRestart = () => undefined, settings = {} } = options;
  const binaries = await findBinaries();
  await mkdir(options.dataDir, { recursive: true });
  const account = await chooseAccount([binaries.postgres, options.dataDir]);
  await assertReachable(account, binaries.postgres, "execute");
  // PostgreSQL resolves links itself; the orphan check compares its arguments with ours.
  const dataDir = await realpath(options.dataDir);
  const claim = await claimDirectory(dataDir);
  try {
    await assertNotRestoring(dataDir);
    const record = await prepareCluster(dataDir, binaries, account, log);
    const about = { program: binaries.postgres, cluster: join(dataDir, "postgres"), account, settings, log };
    const started = await firstStart(about, dataDir, record);
    log.info({ pid: started.postmaster.pid, port: started.record.port }, "the built-in PostgreSQL is ready");
    return new Supervisor(started.postmaster, { record: started.record, dataDir, claim, options: about, onRestart });
  } catch (error) {
    claim.release();
    if (error instanceof EmbeddedPostgresError) throw error;
    const message = `The built-in PostgreSQL in ${dataDir} cannot start: ${asError(error).message}`;
    throw new EmbeddedPostgresError("START_FAILED", message, { cause: error });
  }
}
