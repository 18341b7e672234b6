import type { Config } from "./config.ts";
import type { CopyPlace } from "./domain/directory/copies.ts";
import { loadTargets } from "./domain/openlineage/targets.ts";
import { loadCatalog } from "./domain/policy/catalog.ts";
import { createHomeResponder } from "./domain/regions/home-exchange.ts";
import { createRegions } from "./domain/regions/regions.ts";
import type { Services } from "./graphql/base/services.ts";
import { createMetrics } from "./http/metrics.ts";
import type { Logger } from "./log.ts";
import { createPolicyParts, createReadsOfRegions, policyPartsAbroad, startActions } from "./main/actions.ts";
import { startChannels } from "./main/channels.ts";
import { createClosing } from "./main/closing.ts";
import { startHomeDatabase } from "./main/database.ts";
import { startFollowing } from "./main/follow.ts";
import { homeExchange, startHomeSource } from "./main/home.ts";
import { type Addresses, startHttp } from "./main/http.ts";
import { offerSetupCodes, readIdentitySettings, startIdentity } from "./main/identity.ts";
import { startJobs } from "./main/jobs.ts";
import { startKeys } from "./main/keys.ts";
import { startLedger } from "./main/ledger.ts";
import { measured } from "./main/measured.ts";
import { startOpenLineage } from "./main/openlineage.ts";
import { createReads } from "./main/reads.ts";
import { assertOnlyLedgersOf, startOtherRegions } from "./main/regions.ts";
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
  const targets = await loadTargets(config.openLineageFile);
  const [keys, catalog] = await Promise.all([startKeys(start), loadCatalog(config.catalog)]);
  const platforms = [...catalog.platforms.keys()];

  const database = await startHomeDatabase(start, async (reached) => {
    if (config.partsRegions) await assertOnlyLedgersOf(config.region, reached);
  });
  // While callers are admitted by copies, nothing is appended to home ledgers: their current roles are unknown.
  let isHomeDown = (): boolean => false;
  const isHomeServed = config.homeAddress === undefined;
  const metrics = createMetrics(
    measured(() => [...(isHomeServed ? [{ database, ledgers, watch }] : []), ...others.states]),
  );
  const { ledgers, verify, watch, isSigned } = await startLedger(start, database, keys, metrics, () => isHomeDown());
  const sessions = startSessions(start, database, ledgers);
  const parts = new Map<string, Services>();
  const places = new Map<string, CopyPlace>();
  const identity = startIdentity(start, {
    settings,
    keys,
    ledgers,
    isSigned,
    sessions,
    db: database.pool,
    platforms,
    copies: () => [...places.values()],
    refusedIn: () => (isHomeServed ? undefined : others.states[0]?.readingLog),
    metrics,
  });
  const { directory, readingLog } = identity;
  isHomeDown = directory.abroad.home.isDown;
  const follower = await startFollowing(start, database, directory, watch);
  const policyParts = createPolicyParts(catalog, directory);
  const abroad = policyPartsAbroad(policyParts, directory.abroad);
  const { policies, tryPolicy } = policyParts;
  const findReads = createReadsOfRegions(config, (region) => parts.get(region)?.pool);
  const actions = startActions(start, {
    database,
    ledgers,
    isSigned,
    directory,
    keys,
    policies: policyParts,
    findReads,
  });
  if (isHomeServed) startJobs(start, database, actions, sessions);
  if (isHomeServed) startOpenLineage(start, { database, ledgers, follower, targets });
  const channels = startChannels(start, {
    database,
    ledgers,
    isSigned,
    directory,
    sessions,
    actions,
    policies,
    follower,
    keys,
  });

  const services = createServices({
    regions: config.partsRegions
      ? createRegions({
          home: config.region,
          names: [...(isHomeServed ? [config.region] : []), ...config.otherRegions.map(({ name }) => name)],
          parts,
          addresses: config.regionAddresses,
          policies: abroad.policies,
        })
      : undefined,
    actions,
    policies,
    tryPolicy,
    approvalTtl: config.approvalTtl,
    sessions,
    directory,
    channels,
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
  if (isHomeServed) parts.set(config.region, services);
  const source = startHomeSource(start, { database, ledgers, directory, isSigned, keys });
  const others = await startOtherRegions(start, {
    home: services,
    homeDatabase: database,
    source,
    places,
    keys,
    policies: abroad,
    findReads,
    metrics,
    parts,
    targets,
  });
  start.closing.add(async () => source.stop());
  if (config.production && database.isMigrated) await offerSetupCodes(directory, settings, start.say);
  const { trustedProxies } = settings;
  const regions = config.otherRegions.length === 0 ? undefined : others.ready;
  const respondHome =
    isHomeServed && config.partsRegions ? createHomeResponder(homeExchange(config, keys), source) : undefined;
  return startHttp(start, {
    database,
    services,
    identity,
    ledgers,
    watch,
    regions,
    respondHome,
    metrics,
    certificate,
    trustedProxies,
  });
}
