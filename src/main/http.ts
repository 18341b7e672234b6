import type { Database } from "../db/database.ts";
import { pendingMigrations } from "../db/migrate.ts";
import type { Channels } from "../domain/channels/channels.ts";
import { isLoopback } from "../domain/identity/secure-url.ts";
import type { RespondHome } from "../domain/regions/home-exchange.ts";
import { CHANNEL_KINDS } from "../facts/areas/channels.ts";
import type { Services } from "../graphql/base/services.ts";
import { MAX_BODY } from "../http/body.ts";
import { type Certificate, watchCertificate } from "../http/certificate.ts";
import type { ReceiveChannel } from "../http/channel-route.ts";
import type { Metrics } from "../http/metrics.ts";
import { originOf } from "../http/origin.ts";
import { createPeers } from "../http/peers.ts";
import { createHttpServer } from "../http/server.ts";
import type { Ledgers } from "../ledger/ledger.ts";
import type { Watch } from "../ledger/watch/watch.ts";
import type { IdentityServices } from "./identity.ts";
import { startOperations } from "./operations.ts";
import type { Start } from "./start.ts";
import { isWatchReady } from "./watch.ts";

export interface HttpDeps {
  readonly database: Database;
  readonly services: Services;
  readonly identity: IdentityServices;
  readonly ledgers: Pick<Ledgers, "ready">;
  readonly watch: Pick<Watch, "status">;
  /** Whether each other region is ready, by its name; undefined: there is none. */
  readonly regions: (() => Promise<Readonly<Record<string, boolean>>>) | undefined;
  /** Responds to servers that copy the home region; undefined: this one does not serve it, or there are no others. */
  readonly respondHome: RespondHome | undefined;
  readonly metrics: Metrics;
  readonly certificate: Certificate | undefined;
  readonly trustedProxies: readonly string[];
}

/** Where a server listens: scheme, host and port. */
export interface Addresses {
  readonly api: string;
  /** Of metrics and probes; undefined: there are no metrics, and the probes are at `api`. */
  readonly operations: string | undefined;
}

/** How requests at the paths of channels are responded to. */
export function channelReceiver({ receive }: Pick<Channels, "receive">): ReceiveChannel {
  return ({ kind, ...at }, request) => {
    const known = CHANNEL_KINDS.find((one) => one === kind);
    return known === undefined ? Promise.resolve(undefined) : receive({ kind: known, ...at }, request);
  };
}

/** What of one region has to work for this server to be sent requests. */
async function checksOf({ database, ledgers, watch }: Pick<HttpDeps, "database" | "ledgers" | "watch">) {
  return {
    ...(await ledgers.ready()),
    watch: isWatchReady(watch),
    schema: (await pendingMigrations(database.readinessPool)).length === 0,
  };
}

/** Whether all of it works. */
export async function isReady(region: Pick<HttpDeps, "database" | "ledgers" | "watch">): Promise<boolean> {
  return Object.values(await checksOf(region)).every((holds) => holds);
}

/** Listens. */
export async function startHttp(start: Start, deps: HttpDeps): Promise<Addresses> {
  const { config, log, closing } = start;
  const { database, services, identity, ledgers, watch, regions, respondHome, metrics, certificate, trustedProxies } =
    deps;
  const checks = async () => {
    if (config.homeAddress === undefined) return checksOf({ database, ledgers, watch });
    return { regions: Object.values((await regions?.()) ?? {}).some((ready) => ready) };
  };
  const server = createHttpServer({
    services,
    identity: identity.calls,
    signIn: identity.signIn.handle,
    receiveChannel: channelReceiver(services.channels),
    respondHome,
    publicUrl: config.publicUrl,
    checks: config.metricsPort === undefined ? checks : undefined,
    regions,
    metrics,
    log,
    corsOrigins: config.corsOrigins,
    certificate,
    peers: createPeers(trustedProxies),
    connectionLimits: config.connectionLimits,
    socketLimits: config.socketLimits,
    responseLimits: config.responseLimits,
    requestBytes: MAX_BODY + config.resultBytes,
    rateLimits: config.rateLimits,
  });
  // Before the API, so that it is closed after it: until then the probes say what happens.
  const operations = await startOperations(start, { checks, regions, accepting: server.accepting, metrics });
  const port = await server.listen(config.port, config.host);
  closing.add(() => server.close());
  if (config.tls !== undefined && certificate !== undefined) {
    closing.add(watchCertificate(config.tls, { first: certificate, use: server.replaceCertificate, log }));
  }
  const api = originOf({ host: config.host, port, secure: certificate !== undefined });
  if (config.publicUrl === undefined && !isLoopback(config.host)) {
    log.warn(
      { address: api },
      "PUBLIC_URL is not set: proofs of keys and signed requests have to be about this address",
    );
  }
  return { api, operations };
}
