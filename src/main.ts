import path from "node:path";
import type { Config } from "./config.ts";
import { type Database, openDatabase } from "./db/database.ts";
import { createListener } from "./db/listen.ts";
import { pendingMigrations } from "./db/migrate.ts";
import { createPool } from "./db/pool.ts";
import { createPrisma } from "./db/prisma.ts";
import { createActions } from "./domain/actions/actions.ts";
import { loadKeys } from "./domain/identity/keys.ts";
import { isLoopback } from "./domain/identity/secure-url.ts";
import { loadCatalog } from "./domain/policy/catalog.ts";
import { createPolicy } from "./domain/policy/evaluate.ts";
import { createAttribution } from "./domain/sessions/attribution.ts";
import { createSessions } from "./domain/sessions/sessions.ts";
import type { LedgerHead, LedgerId } from "./facts/entry.ts";
import type { Services } from "./graphql/base/services.ts";
import { createMetrics } from "./http/metrics.ts";
import { createHttpServer } from "./http/server.ts";
import { startPartitions } from "./jobs/partitions.ts";
import { startSweep } from "./jobs/sweep.ts";
import { createFollower } from "./ledger/follow.ts";
import { createHeadStore } from "./ledger/heads.ts";
import { createLedgers } from "./ledger/ledger.ts";
import { verifyLedger } from "./ledger/verify.ts";
import type { Logger } from "./log.ts";
import { createIdentity, offerSetupCodes, readIdentitySettings } from "./main/identity.ts";

export interface RunningServer {
  /** The GraphQL endpoint. */
  readonly url: string;
  readonly config: Config;
  /** Stops gracefully: requests under way are answered, what was accepted is recorded. Idempotent. */
  close(): Promise<void>;
}

export interface StartOptions {
  readonly log: Logger;
  /** Tells whoever sits in front of the server what belongs into no log, such as a one-time code. */
  readonly say: (text: string) => void;
}

const VERIFY_WORKERS = 2;
/** How far back the end of each known ledger is re-hashed at start. */
const START_CHECK = 1_000n;

interface Range {
  readonly fromSeq?: bigint;
  readonly toSeq?: bigint;
}

/** Everything that must be undone at the end, the last first. */
type Closers = (() => Promise<unknown> | unknown)[];

/** Starts everything a server is made of. On failure whatever was started is stopped again. */
export async function startServer(config: Config, options: StartOptions): Promise<RunningServer> {
  const { log } = options;
  const closers: Closers = [];
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) {
      await Promise.resolve(close()).catch((error: unknown) =>
        log.error({ err: error }, "a part did not stop cleanly"),
      );
    }
  };
  try {
    const url = await start(config, options, closers);
    log.info({ url, region: config.region }, "serving");
    let closing: Promise<void> | undefined;
    return {
      url,
      config,
      close() {
        closing ??= closeAll();
        return closing;
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function start(config: Config, { log, say }: StartOptions, closers: Closers): Promise<string> {
  const settings = await readIdentitySettings(config);
  const [keys, catalog] = await Promise.all([loadKeys(config.signingKeyFile), loadCatalog(config.catalog)]);

  const database = await openDatabase({
    databaseUrl: config.databaseUrl,
    migrationDatabaseUrl: config.migrationDatabaseUrl,
    dataDir: config.dataDir,
    connections: config.databasePool,
    log,
  });
  closers.push(() => database.close());
  const verifying = createPool({
    connectionString: database.url,
    max: VERIFY_WORKERS + 1,
    applicationName: "countersign-verify",
    statementTimeout: 0,
    log,
  });
  closers.push(() => verifying.end());

  const heads = createHeadStore({
    directory: path.join(config.dataDir, "heads"),
    onError: (error) => log.error({ err: error }, "the last head of a ledger could not be kept outside the database"),
  });
  closers.push(() => heads.close());
  const metrics = createMetrics({
    waiting: () => ledgers.waiting(),
    pendingApprovals: () => countPending(database),
  });
  const ledgers = createLedgers({
    pool: database.appendPool,
    capacity: config.appendQueue,
    onBatch: (_ledger, entries, seconds) => metrics.append(entries, seconds),
    onAppended: (ledger, head) => heads.record(ledger, { seq: head.seq, hash: head.hash }),
  });
  closers.push(() => ledgers.close());

  // Whoever asks for what is being verified already gets the same answer: a re-hash costs as much as it costs.
  const verifications = new Map<string, ReturnType<typeof verifyLedger>>();
  function verify(ledger: LedgerId, range: Range) {
    const key = `${ledger} ${range.fromSeq ?? ""} ${range.toSeq ?? ""}`;
    const running = verifications.get(key) ?? verifyNow(ledger, range).finally(() => verifications.delete(key));
    verifications.set(key, running);
    return running;
  }
  async function verifyNow(ledger: LedgerId, range: Range) {
    const { head, earlier } = await heads.known(ledger);
    return verifyLedger(verifying, ledger, {
      ...range,
      knownHead: head,
      earlierHeads: earlier,
      workers: VERIFY_WORKERS,
    });
  }
  await checkEnds(database, verify, (ledger, head) => heads.record(ledger, head), log);

  const { region, sessionTtl } = config;
  const sessions = createSessions({ ledgers, db: database.pool, region, sessionTtl });
  let url = config.publicUrl ?? "";
  const identity = createIdentity({
    settings,
    keys,
    ledgers,
    sessions,
    db: database.pool,
    region,
    publicUrl: () => url,
    metrics,
    log,
  });
  closers.push(() => identity.stop());
  const { directory } = identity;

  const follower = createFollower({ pool: database.pool, idleSeconds: config.heartbeat });
  const listener = createListener({
    connectionString: database.url,
    log,
    onNotify(payload) {
      follower.onNotify(payload);
      directory.onNotify(payload);
    },
    onReconnect() {
      follower.onReconnect();
      directory.onReconnect();
    },
  });
  await listener.start();
  closers.push(() => listener.stop());

  const policy = createPolicy(catalog);
  // With the appends, not behind what people read: every entry waits for it.
  const attribution = createAttribution({ db: database.appendPool, region });
  const actions = createActions({ ledgers, pool: database.pool, policy, keys, config, attribution });
  const sweep = startSweep({ actions, sessions, interval: config.sweepInterval, log });
  closers.push(() => sweep.stop());
  const partitions = startPartitions({ pool: database.pool, log });
  closers.push(() => partitions.stop());

  const services: Services = {
    actions,
    sessions,
    directory,
    readingLog: identity.readingLog,
    ledgers,
    pool: database.pool,
    prisma: createPrisma(database.pool),
    follower,
    verify,
    publicKeys: () => JSON.parse(JSON.stringify(keys.publicJwks())),
    region: config.region,
  };
  const server = createHttpServer({
    services,
    identity: identity.calls,
    signIn: identity.signIn.handle,
    publicUrl: config.publicUrl,
    checks: async () => ({
      ledger: await ledgers.ready(),
      schema: (await pendingMigrations(database.url)).length === 0,
    }),
    metrics,
    log,
    corsOrigins: config.corsOrigins,
  });
  if (config.production) await offerSetupCodes(directory, settings, say);
  const port = await server.listen(config.port, config.host);
  closers.push(() => server.close());
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  const address = `http://${host}:${port}`;
  if (config.publicUrl === undefined && !isLoopback(config.host)) {
    log.warn({ address }, "PUBLIC_URL is not set: proofs of keys and signed requests have to be about this address");
  }
  url = config.publicUrl ?? address;
  return `${address}/graphql`;
}

async function countPending({ pool }: Database): Promise<number> {
  const { rows } = await pool.query<{ count: string }>("SELECT count(*) FROM oc_action WHERE status = 'PENDING'");
  return Number(rows[0]?.count ?? 0);
}

/**
 * Nothing is known about what happened to the ledgers while no server of ours ran: the end of each is re-hashed and held
 * against the head kept outside the database before anything is added to it. What is wrong is said loudly, and on every
 * verification; serving goes on, so that it can be looked at.
 */
async function checkEnds(
  { pool }: Database,
  verify: (ledger: LedgerId, range: { readonly fromSeq?: bigint }) => ReturnType<typeof verifyLedger>,
  record: (ledger: LedgerId, head: LedgerHead) => void,
  log: Logger,
): Promise<void> {
  const { rows } = await pool.query<{ ledger: LedgerId; seq: string }>("SELECT ledger, seq FROM oc_ledger_head");
  for (const { ledger, seq } of rows) {
    const from = BigInt(seq) - START_CHECK;
    const { verdict, problems, head } = await verify(ledger, from > 1n ? { fromSeq: from } : {});
    if (verdict === "INTACT") record(ledger, head);
    else
      log.error(
        {
          ledger,
          verdict,
          problems: problems.slice(0, 3).map((problem) => ({ ...problem, seq: String(problem.seq) })),
        },
        "a ledger is not as it was left",
      );
  }
}
