import type { Config, SettingName } from "../config.ts";
import { SAMPLE_CATALOG } from "../domain/policy/catalog.ts";

type Value = string | number | undefined;

/** Parameters of a database's address that hold no secret. */
const PLAIN_PARAMETERS = ["sslmode", "sslrootcert", "sslcert", "application_name"];

/** `url` without a password; undefined for none. */
function withoutSecrets(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  const { protocol, username, host, pathname, searchParams } = new URL(url);
  const parameters = PLAIN_PARAMETERS.flatMap((name) => {
    const value = searchParams.get(name);
    return value === null ? [] : [`${name}=${value}`];
  });
  const query = parameters.length === 0 ? "" : `?${parameters.join("&")}`;
  return `${protocol}//${username === "" ? "" : `${username}@`}${host}${pathname}${query}`;
}

function listed(values: readonly (readonly [name: string, value: string | undefined])[]): string {
  return values.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])).join(",");
}

/** How each setting is found in a Config, in its own unit: times in seconds. */
const VALUES: Readonly<Record<SettingName, (config: Config) => Value>> = {
  HOST: ({ host }) => host,
  PORT: ({ port }) => port,
  TLS_CERT_FILE: ({ tls }) => tls?.certFile,
  TLS_KEY_FILE: ({ tls }) => tls?.keyFile,
  METRICS_PORT: ({ metricsPort }) => metricsPort,
  METRICS_HOST: ({ metricsHost }) => metricsHost,
  CONNECTION_LIMIT: ({ connectionLimits }) => connectionLimits.connections,
  ADDRESS_CONNECTION_LIMIT: ({ connectionLimits }) => connectionLimits.connectionsPerAddress,
  STREAM_LIMIT: ({ socketLimits }) => socketLimits.streamsPerPrincipal,
  PERSON_STREAM_LIMIT: ({ socketLimits }) => socketLimits.streamsPerPerson,
  OPERATION_LIMIT: ({ socketLimits }) => socketLimits.operationsPerSocket,
  CHANGE_RATE: ({ rateLimits }) => rateLimits.changesPerPrincipal,
  PERSON_CHANGE_RATE: ({ rateLimits }) => rateLimits.changesPerPerson,
  ANONYMOUS_RATE: ({ rateLimits }) => rateLimits.anonymousPerAddress,
  REQUEST_LIMIT: ({ socketLimits }) => socketLimits.requestsPerPrincipal,
  RESPONSE_BYTES: ({ responseLimits }) => responseLimits.responseBytes,
  RESULT_BYTES: ({ resultBytes }) => resultBytes,
  RESPONSE_MEMORY: ({ responseLimits }) => responseLimits.unreadBytes,
  HEADER_TIMEOUT: ({ connectionLimits }) => connectionLimits.headerTimeout / 1_000,
  IDLE_TIMEOUT: ({ connectionLimits }) => connectionLimits.idleTimeout / 1_000,
  SEND_TIMEOUT: ({ connectionLimits }) => connectionLimits.sendTimeout / 1_000,
  SEND_BUFFER: ({ socketLimits }) => socketLimits.bufferedBytes,
  NODE_ENV: ({ production }) => (production ? "production" : "development"),
  DATA_DIR: ({ dataDir }) => dataDir,
  DATABASE_URL: ({ databaseUrl }) => withoutSecrets(databaseUrl),
  MIGRATION_DATABASE_URL: ({ migrationDatabaseUrl, databaseUrl }) =>
    withoutSecrets(migrationDatabaseUrl ?? databaseUrl),
  DATABASE_POOL: ({ databasePool }) => databasePool,
  CATALOG: ({ catalog }) => catalog ?? SAMPLE_CATALOG,
  REGION: ({ region }) => region,
  REGIONS: ({ otherRegions }) => listed(otherRegions.map((one) => [one.name, withoutSecrets(one.databaseUrl)])),
  MIGRATION_REGIONS: ({ otherRegions }) =>
    listed(otherRegions.map((one) => [one.name, withoutSecrets(one.migrationDatabaseUrl)])),
  HOME_COPY_MAX_AGE: ({ homeCopyMaxAge }) => homeCopyMaxAge,
  REGION_ADDRESSES: ({ regionAddresses }) => listed([...regionAddresses]),
  COUNTERSIGN_TOKEN: ({ token }) => (token === undefined ? undefined : "(set)"),
  IDENTITY_FILE: ({ identityFile }) => identityFile,
  PUBLIC_URL: ({ publicUrl }) => publicUrl,
  SIGNING_KEY_FILE: ({ signingKeyFile }) => signingKeyFile,
  GUARD_EXCEPTIONS: ({ guardExceptions }) => guardExceptions,
  OPENLINEAGE_FILE: ({ openLineageFile }) => openLineageFile,
  CORS_ORIGINS: ({ corsOrigins }) => corsOrigins.join(","),
  SLACK_API_URL: ({ slackApiUrl }) => slackApiUrl,
  TEAMS_LOGIN_URL: ({ teams }) => teams.loginUrl,
  TEAMS_OPENID_URL: ({ teams }) => teams.openIdUrl,
  TEAMS_TOKEN_ISSUER: ({ teams }) => teams.tokenIssuer,
  TEAMS_SERVICE_HOSTS: ({ teams }) => teams.serviceHosts.join(","),
  LOG_LEVEL: ({ logLevel }) => logLevel,
  APPROVAL_TTL: ({ approvalTtl }) => approvalTtl,
  GRANT_TTL: ({ grantTtl }) => grantTtl,
  EXECUTION_TTL: ({ executionTtl }) => executionTtl,
  EXECUTION_LIMIT: ({ executionLimit }) => executionLimit,
  CHAIN_IDLE: ({ chainIdle }) => chainIdle,
  SESSION_TTL: ({ sessionTtl }) => sessionTtl,
  CLAIMS_MAX_AGE: ({ claimsMaxAge }) => claimsMaxAge.reading / 1_000,
  DECISION_CLAIMS_MAX_AGE: ({ claimsMaxAge }) => claimsMaxAge.decision / 1_000,
  HEARTBEAT: ({ heartbeat }) => heartbeat,
  SWEEP_INTERVAL: ({ sweepInterval }) => sweepInterval,
  APPEND_TIMEOUT: ({ timeLimits }) => timeLimits.appendMs / 1_000,
  HEAD_LOCK_TIMEOUT: ({ timeLimits }) => timeLimits.headLockMs / 1_000,
  READ_TIMEOUT: ({ timeLimits }) => timeLimits.readMs / 1_000,
  SEARCH_TIMEOUT: ({ timeLimits }) => timeLimits.searchMs / 1_000,
  SNAPSHOT_TIMEOUT: ({ timeLimits }) => timeLimits.snapshotMs / 1_000,
  JOB_TIMEOUT: ({ timeLimits }) => timeLimits.jobMs / 1_000,
  REPORT_TIMEOUT: ({ readerLimits }) => readerLimits.report,
  AUDIT_TIMEOUT: ({ readerLimits }) => readerLimits.audit,
  READER_CONNECTIONS: ({ readerLimits }) => readerLimits.connections,
  READINESS_TIMEOUT: ({ timeLimits }) => timeLimits.readinessMs / 1_000,
  WATCH_ACTION: ({ watch }) => (watch.stops ? "stop" : "alarm"),
  WATCH_SHARE: ({ watch }) => watch.share * 100,
  WATCH_INTERVAL: ({ watch }) => watch.interval,
  WATCH_WHOLE_INTERVAL: ({ watch }) => watch.wholeInterval,
  CHANNEL_PRIVATE_ADDRESSES: ({ channels }) => channels.privateAddresses.join(","),
  CHANNEL_CLAIMS_MAX_AGE: ({ channels }) => channels.claimsMaxAge,
  CHANNEL_LEASE: ({ channels }) => channels.lease,
  CHANNEL_INTERVAL: ({ channels }) => channels.interval,
  CLOCK_TOLERANCE: ({ clockTolerance }) => clockTolerance,
  APPEND_QUEUE: ({ appendQueue }) => appendQueue,
};

/** What `config` says, by the names and in the units of the settings, without passwords and tokens; without those that are unset. */
export function effectiveSettings(config: Config): Readonly<Record<string, string | number>> {
  const all = Object.entries(VALUES).map(([name, read]) => [name, read(config)] as const);
  return Object.fromEntries(all.filter((one): one is readonly [string, string | number] => (one[1] ?? "") !== ""));
}
