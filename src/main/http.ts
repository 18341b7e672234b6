import type { Database } from "../db/database.ts";
import { pendingMigrations } from "../db/migrate.ts";
import { isLoopback } from "../domain/identity/secure-url.ts";
import type { Services } from "../graphql/base/services.ts";
import type { Metrics } from "../http/metrics.ts";
import { originOf } from "../http/origin.ts";
import { createHttpServer } from "../http/server.ts";
import type { Ledgers } from "../ledger/ledger.ts";
import type { Watch } from "../ledger/watch/watch.ts";
import type { IdentityServices } from "./identity.ts";
import type { Start } from "./start.ts";
import { isWatchReady } from "./watch.ts";

export interface HttpDeps {
  readonly database: Database;
  readonly services: Services;
  readonly identity: IdentityServices;
  readonly ledgers: Pick<Ledgers, "ready">;
  readonly watch: Pick<Watch, "status">;
  readonly metrics: Metrics;
}

/** Listens. Returns scheme, host and port. */
export async function startHttp({ config, log, closing }: Start, deps: HttpDeps): Promise<string> {
  const { database, services, identity, ledgers, watch, metrics } = deps;
  const server = createHttpServer({
    services,
    identity: identity.calls,
    signIn: identity.signIn.handle,
    publicUrl: config.publicUrl,
    checks: async () => ({
      ...(await ledgers.ready()),
      watch: isWatchReady(watch),
      schema: (await pendingMigrations(database.readinessPool)).length === 0,
    }),
    metrics,
    log,
    corsOrigins: config.corsOrigins,
  });
  const port = await server.listen(config.port, config.host);
  closing.add(() => server.close());
  const address = originOf({ host: config.host, port, secure: false });
  if (config.publicUrl === undefined && !isLoopback(config.host)) {
    log.warn({ address }, "PUBLIC_URL is not set: proofs of keys and signed requests have to be about this address");
  }
  return address;
}
