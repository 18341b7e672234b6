import type { Config } from "./config.ts";
import { loadCatalog } from "./domain/policy/catalog.ts";
import { createMetrics } from "./http/metrics.ts";
import type { Logger } from "./log.ts";
import { countPending, startActions } from "./main/actions.ts";
import { createClosing } from "./main/closing.ts";
import { startDatabase } from "./main/database.ts";
import { startFollowing } from "./main/follow.ts";
import { type Addresses, startHttp } from "./main/http.ts";
import { offerSetupCodes, readIdentitySettings, startIdentity } from "./main/identity.ts";
import { startJobs } from "./main/jobs.ts";
import { startKeys } from "./main/keys.ts";
import { startLedger } from "./main/ledger.ts";
import { createReads } from "./main/reads.ts";
import { createServices } from "./main/services.ts";
import { startSessions } from "./main/sessions.ts";
import type { Start } from "./main/start.ts";
import { readTransport } from "./main/transport.ts";

export interface RunningServer {
  /** The GraphQL endpoint. */
  readonly url: string;
  readonly config: Config;
  /** Stops gracefully: completes requests in progress and records accepted drafts. Idempotent. */
  close(): Promise<void>;
}

export interface StartOptions {
  readonly log: Logger;
  /** Prints what must not be logged, such as a one-time code, for the operator. */
  readonly say: (text: string) => void;
}

/** Starts everything a server is made of. On failure whatever was started is stopped again. */
export async function startServer(config: Config, { log, say }: StartOptions): Promise<RunningServer> {
  const closing = createClosing(log);
  let publicUrl = config.publicUrl ?? "";
  const start: Start = { config, log, say, closing, publicUrl: () => publicUrl };
  try {
    const { api, operations } = await startAreas(start);
    publicUrl = config.publicUrl ?? api;
    const url = `${api}/graphql`;
    log.info({ url, operations, region: config.region }, "serving");
    return { url, config, close: closing.closeAll };
  } catch (error) {
    await closing.closeAll();
    throw error;
  }
}

/** Starts one area after the other, each with what it needs of those before it. Returns where the server listens. */
async function startAreas(start: Start): Promise<Addresses> {
  const { config } = start;
  const settings = await readIdentitySettings(config);
  const certificate = await readTransport(config, settings);
  const [keys, catalog] = await Promise.all([startKeys(start), loadCatalog(config.catalog)]);
  const platforms = [...catalog.platforms.keys()];

  const database = await startDatabase(start);
  const metrics = createMetrics({
    waiting: () => ledgers.waiting(),
    pendingApprovals: () => countPending(database),
    watch: () => watch.status(),
  });
  const { ledgers, verify, watch, isSigned } = await startLedger(start, database, keys, metrics);
  const sessions = startSessions(start, database, ledgers);
  const identity = startIdentity(start, {
    settings,
    keys,
    ledgers,
    isSigned,
    sessions,
    db: database.pool,
    platforms,
    metrics,
  });
  const { directory, readingLog } = identity;
  const follower = await startFollowing(start, database, directory, watch);
  const { actions, policies, tryPolicy } = startActions(start, {
    database,
    ledgers,
    isSigned,
    directory,
    keys,
    catalog,
  });
  startJobs(start, database, actions, sessions);

  const services = createServices({
    actions,
    policies,
    tryPolicy,
    approvalTtl: config.approvalTtl,
    sessions,
    directory,
    readingLog,
    ledgers,
    pool: database.pool,
    ...createReads(start, database, ledgers),
    follower,
    verify,
    watch,
    keys,
    region: config.region,
    platforms,
    heartbeat: config.heartbeat,
  });
  if (config.production) await offerSetupCodes(directory, settings, start.say);
  const { trustedProxies } = settings;
  return startHttp(start, { database, services, identity, ledgers, watch, metrics, certificate, trustedProxies });
}
