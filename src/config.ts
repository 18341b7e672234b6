import { isIP, isIPv6 } from "node:net";
import path from "node:path";
import { z } from "zod";
import { addressRanges, secureAddress, teamsHosts } from "./config-channels.ts";
import {
  byRegion,
  homeAddressOf,
  otherRegionsOf,
  REGION_NAME,
  type RegionConfig,
  regionProblems,
} from "./config-regions.ts";
import { ConfigurationError } from "./errors.ts";

const SCHEME_HOST_PORT = "has to be scheme, host and port alone, such as https://countersign.example";
const SCHEME_HOST_PORT_PATTERN = /^https?:\/\/[^/?#@\\*\s]+\/?$/i;
const ORIGINS = "has to be origins such as https://console.example (scheme, host and port alone), separated by commas";

interface Bounds {
  readonly from: number;
  readonly to: number;
  readonly unit?: string;
}

interface Defaulted extends Bounds {
  readonly default: number;
}

/** The text of a number in decimal digits and nothing else: no sign, exponent, blank or other base. */
const DECIMAL = /^\d{1,15}(\.\d{1,6})?$/;

/** A value as messages repeat it: its beginning, when it is long. */
function shown(value: unknown): string {
  return JSON.stringify(String(value).slice(0, 200));
}

function quantity(kind: string, pattern: RegExp, { from, to, unit }: Bounds) {
  const what = `has to be ${kind}${unit === undefined ? "" : ` of ${unit}`} from ${from} to ${to}`;
  return z
    .string()
    .refine((text) => pattern.test(text) && Number(text) >= from && Number(text) <= to, {
      error: ({ input }) => `${what}, not ${shown(input)}`,
    })
    .transform(Number);
}

const optionalWholeNumber = (bounds: Bounds) => quantity("a whole number", /^\d{1,15}$/, bounds).optional();
const wholeNumber = (bounds: Defaulted) => quantity("a whole number", /^\d{1,15}$/, bounds).default(bounds.default);
const duration = (bounds: Defaulted) =>
  quantity("a number", DECIMAL, { ...bounds, unit: "seconds" }).default(bounds.default);
const wholeSeconds = (bounds: Defaulted) => wholeNumber({ ...bounds, unit: "seconds" });

function oneOf<const Value extends string>(values: readonly [Value, ...Value[]], value: Value) {
  const error = ({ input }: { readonly input?: unknown }) =>
    `has to be one of ${values.join(", ")}, not ${shown(input)}`;
  return z.enum(values, { error }).default(value);
}

const DATABASE_ADDRESS = "has to be an address such as postgres://user:password@host:5432/database";

/** The address is not repeated: it may hold a password. */
const databaseUrl = z
  .url({ protocol: /^postgres(ql)?$/, error: DATABASE_ADDRESS })
  .max(4_096, DATABASE_ADDRESS)
  .refine(
    (url) => !namesUnverifiableHost(url),
    "has to name the host as its certificate does: with sslmode=verify-full an IP address would not be compared with it",
  )
  .optional();
/**
 * Whether a certificate is demanded of a host that is given by its IP address. Node compares a certificate with the name that was
 * looked up, and with `localhost` when there was none.
 */
function namesUnverifiableHost(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { hostname, searchParams } = new URL(url);
  return searchParams.get("sslmode") === "verify-full" && isIP(hostname.replace(/^\[|\]$/g, "")) !== 0;
}

const isDatabaseAddress = (text: string) => databaseUrl.safeParse(text).success;
const isServerAddress = (text: string) =>
  text.length <= MAX_TEXT && SCHEME_HOST_PORT_PATTERN.test(text) && URL.canParse(text);

/** UTF-16 code units, as much as Linux takes for a path (PATH_MAX), and more than any address needs. */
const MAX_TEXT = 4_096;
const MAX_ORIGINS = 1_000;
/** A token is sent in a header, and Node takes headers of 16 KiB in all. */
const MAX_TOKEN = 15_000;

const filePath = z
  .string()
  .refine(
    (text) => text.length <= MAX_TEXT && !text.includes("\0"),
    `has to be a path of at most ${MAX_TEXT} characters`,
  );
const HOST_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i;
const hostName = z
  .string()
  .refine(
    (host) => HOST_NAME.test(host) || (isIPv6(host) && !host.includes("%")),
    "has to be a host name or an IP address, without a port, brackets or a zone",
  );
const DAY = 86_400;

/** Durations are seconds. Each message reads on from the name of its variable. */
const settings = z.object({
  HOST: hostName.default("127.0.0.1"),
  PORT: wholeNumber({ default: 4000, from: 0, to: 65_535 }),
  TLS_CERT_FILE: filePath.optional(),
  TLS_KEY_FILE: filePath.optional(),
  METRICS_PORT: optionalWholeNumber({ from: 0, to: 65_535 }),
  METRICS_HOST: hostName.default("127.0.0.1"),
  CONNECTION_LIMIT: wholeNumber({ default: 10_000, from: 16, to: 1_000_000, unit: "connections" }),
  ADDRESS_CONNECTION_LIMIT: wholeNumber({ default: 1_000, from: 1, to: 1_000_000, unit: "connections" }),
  STREAM_LIMIT: wholeNumber({ default: 32, from: 1, to: 10_000, unit: "streams" }),
  PERSON_STREAM_LIMIT: wholeNumber({ default: 256, from: 1, to: 100_000, unit: "streams" }),
  OPERATION_LIMIT: wholeNumber({ default: 64, from: 1, to: 10_000, unit: "operations" }),
  CHANGE_RATE: wholeNumber({ default: 5_000, from: 1, to: 1_000_000, unit: "changes" }),
  PERSON_CHANGE_RATE: wholeNumber({ default: 10_000, from: 1, to: 1_000_000, unit: "changes" }),
  ANONYMOUS_RATE: wholeNumber({ default: 200, from: 1, to: 1_000_000, unit: "requests" }),
  REQUEST_LIMIT: wholeNumber({ default: 256, from: 1, to: 100_000, unit: "requests" }),
  RESPONSE_BYTES: wholeNumber({ default: 4_194_304, from: 65_536, to: 67_108_864, unit: "bytes" }),
  RESULT_BYTES: wholeNumber({ default: 5_242_880, from: 262_144, to: 16_777_216, unit: "bytes" }),
  RESPONSE_MEMORY: wholeNumber({ default: 134_217_728, from: 67_108_864, to: 68_719_476_736, unit: "bytes" }),
  HEADER_TIMEOUT: duration({ default: 10, from: 0.1, to: 120 }),
  IDLE_TIMEOUT: duration({ default: 65, from: 0.1, to: 3_600 }),
  SEND_TIMEOUT: duration({ default: 30, from: 0.1, to: 600 }),
  SEND_BUFFER: wholeNumber({ default: 4_194_304, from: 65_536, to: 1_073_741_824, unit: "bytes" }),
  NODE_ENV: oneOf(["development", "test", "production"], "development"),
  DATA_DIR: filePath.default(".data"),
  DATABASE_URL: databaseUrl,
  MIGRATION_DATABASE_URL: databaseUrl,
  DATABASE_POOL: wholeNumber({ default: 16, from: 4, to: 200, unit: "connections" }),
  CATALOG: filePath.optional(),
  REGION: z
    .string()
    .regex(REGION_NAME, "has to be 1 to 63 lower-case letters, digits and hyphens, such as eu-central-1")
    .default("eu"),
  REGIONS: byRegion(
    "the address of its database, such as eu=postgres://user:password@host:5432/database",
    isDatabaseAddress,
  ),
  MIGRATION_REGIONS: byRegion(
    "an address for migrations, such as eu=postgres://owner@host/database",
    isDatabaseAddress,
  ),
  REGION_ADDRESSES: byRegion("the address of a server, such as us=https://us.countersign.example", isServerAddress),
  HOME_COPY_MAX_AGE: wholeSeconds({ default: 86_400, from: 0, to: 30 * DAY }),
  COUNTERSIGN_TOKEN: z
    .string()
    .refine(
      (token) => token.length <= MAX_TOKEN && /^[\w.~+/-]+=*$/.test(token),
      `has to be a bearer token alone, without the word Bearer, of at most ${MAX_TOKEN} characters`,
    )
    .optional(),
  IDENTITY_FILE: filePath.optional(),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/, error: SCHEME_HOST_PORT })
    .refine((url) => url.length <= MAX_TEXT && SCHEME_HOST_PORT_PATTERN.test(url), SCHEME_HOST_PORT)
    .transform((url) => new URL(url).origin)
    .optional(),
  SIGNING_KEY_FILE: filePath.optional(),
  GUARD_EXCEPTIONS: filePath.optional(),
  OPENLINEAGE_FILE: filePath.optional(),
  CORS_ORIGINS: z
    .string()
    .default("")
    .transform((list, context) => {
      const origins = list
        .split(",")
        .map((origin) => origin.trim())
        .filter(Boolean);
      const bad = origins.filter((origin) => !SCHEME_HOST_PORT_PATTERN.test(origin) || !URL.canParse(origin));
      if (bad.length > 0) context.addIssue(`${ORIGINS}, not ${shown(bad[0])}`);
      else if (origins.length > MAX_ORIGINS) context.addIssue(`${ORIGINS}, at most ${MAX_ORIGINS}`);
      return bad.length > 0 || origins.length > MAX_ORIGINS
        ? z.NEVER
        : [...new Set(origins.map((origin) => new URL(origin).origin))];
    }),
  SLACK_API_URL: secureAddress("https://slack.com/api").transform((url) => url.replace(/\/+$/, "")),
  TEAMS_LOGIN_URL: secureAddress("https://login.microsoftonline.com").transform((url) => url.replace(/\/+$/, "")),
  TEAMS_OPENID_URL: secureAddress("https://login.botframework.com/v1/.well-known/openidconfiguration"),
  TEAMS_TOKEN_ISSUER: secureAddress("https://api.botframework.com"),
  TEAMS_SERVICE_HOSTS: teamsHosts,
  LOG_LEVEL: oneOf(["trace", "debug", "info", "warn", "error", "fatal", "silent"], "info"),
  APPROVAL_TTL: wholeSeconds({ default: 86_400, from: 1, to: 366 * DAY }),
  GRANT_TTL: wholeSeconds({ default: 900, from: 1, to: 30 * DAY }),
  EXECUTION_TTL: wholeSeconds({ default: 900, from: 1, to: 30 * DAY }),
  EXECUTION_LIMIT: wholeSeconds({ default: 86_400, from: 1, to: 30 * DAY }),
  CHAIN_IDLE: wholeSeconds({ default: 1_800, from: 1, to: 30 * DAY }),
  SESSION_TTL: wholeSeconds({ default: 43_200, from: 1, to: 366 * DAY }),
  CLAIMS_MAX_AGE: duration({ default: 300, from: 1, to: 3_600 }),
  DECISION_CLAIMS_MAX_AGE: duration({ default: 0, from: 0, to: 300 }),
  HEARTBEAT: duration({ default: 15, from: 0.1, to: 300 }),
  SWEEP_INTERVAL: duration({ default: 5, from: 0.05, to: 3_600 }),
  APPEND_TIMEOUT: duration({ default: 5, from: 0.2, to: 60 }),
  HEAD_LOCK_TIMEOUT: duration({ default: 2, from: 0.1, to: 60 }),
  READ_TIMEOUT: duration({ default: 10, from: 0.1, to: 600 }),
  SEARCH_TIMEOUT: duration({ default: 10, from: 0.1, to: 600 }),
  SNAPSHOT_TIMEOUT: duration({ default: 30, from: 0.1, to: 600 }),
  JOB_TIMEOUT: duration({ default: 60, from: 1, to: 3_600 }),
  REPORT_TIMEOUT: duration({ default: 300, from: 1, to: 86_400 }),
  AUDIT_TIMEOUT: duration({ default: 14_400, from: 1, to: 7 * DAY }),
  READER_CONNECTIONS: wholeNumber({ default: 20, from: 1, to: 1_000, unit: "connections" }),
  READINESS_TIMEOUT: duration({ default: 2, from: 0.1, to: 2 }),
  WATCH_ACTION: oneOf(["stop", "alarm"], "stop"),
  WATCH_SHARE: wholeNumber({ default: 5, from: 1, to: 100, unit: "percent" }),
  WATCH_INTERVAL: duration({ default: 300, from: 0.1, to: 86_400 }),
  WATCH_WHOLE_INTERVAL: duration({ default: 86_400, from: 1, to: 366 * DAY }),
  CHANNEL_PRIVATE_ADDRESSES: addressRanges,
  CHANNEL_CLAIMS_MAX_AGE: wholeSeconds({ default: 604_800, from: 1, to: 90 * DAY }),
  CHANNEL_LEASE: duration({ default: 15, from: 1, to: 300 }),
  CHANNEL_INTERVAL: duration({ default: 2, from: 0.05, to: 60 }),
  CLOCK_TOLERANCE: duration({ default: 60, from: 1, to: 86_400 }),
  APPEND_QUEUE: wholeNumber({ default: 10_000, from: 1, to: 1_000_000, unit: "facts" }),
});

/** The name of a setting. */
export type SettingName = keyof typeof settings.shape;

type Environment = Readonly<Record<string, string | undefined>>;
type Values = z.infer<typeof settings>;

/** What must hold between settings, of those that are good by themselves. */
function problemsTogether(given: Environment, value: Values): readonly string[] {
  const { TLS_CERT_FILE, TLS_KEY_FILE, EXECUTION_TTL, EXECUTION_LIMIT } = value;
  const problems: string[] = [];
  if ((TLS_CERT_FILE === undefined) !== (TLS_KEY_FILE === undefined)) {
    problems.push("TLS_CERT_FILE and TLS_KEY_FILE have to be set together");
  }
  if (given.EXECUTION_LIMIT !== undefined && EXECUTION_LIMIT < EXECUTION_TTL) {
    problems.push(
      `EXECUTION_LIMIT has to be at least EXECUTION_TTL, which is ${EXECUTION_TTL}, not ${EXECUTION_LIMIT}`,
    );
  }
  return [...problems, ...regionProblems(value)];
}

export interface Config {
  readonly host: string;
  readonly port: number;
  /** Files of the server's certificate and its key, in PEM; undefined: plain HTTP. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Port of metrics and probes, 0 for any free one; undefined: no metrics, and probes at `port`. */
  readonly metricsPort: number | undefined;
  readonly metricsHost: string;
  /** Of TCP connections. Times are milliseconds; the settings are seconds. */
  readonly connectionLimits: Readonly<
    Record<"connections" | "connectionsPerAddress" | "headerTimeout" | "idleTimeout" | "sendTimeout", number>
  >;
  /** Of requests, event streams and WebSockets. `sendTimeout` is milliseconds, `bufferedBytes` what may wait to be sent on one connection. */
  readonly socketLimits: Readonly<
    Record<
      | "requestsPerPrincipal"
      | "streamsPerPrincipal"
      | "streamsPerPerson"
      | "operationsPerSocket"
      | "sendTimeout"
      | "bufferedBytes",
      number
    >
  >;
  /** What callers may do in a second, on average over ten. */
  readonly rateLimits: Readonly<Record<"changesPerPrincipal" | "changesPerPerson" | "anonymousPerAddress", number>>;
  /** Bytes of one response, and of all that wait for their clients to read them. */
  readonly responseLimits: Readonly<Record<"responseBytes" | "unreadBytes", number>>;
  /** Bytes of the RFC 8785 form of what a tool returned. */
  readonly resultBytes: number;
  readonly production: boolean;
  readonly dataDir: string;
  readonly databaseUrl: string | undefined;
  readonly migrationDatabaseUrl: string | undefined;
  readonly databasePool: number;
  /** Path of the catalog of tools and platforms; undefined: the sample that ships with the product. */
  readonly catalog: string | undefined;
  /** The home region: its ledgers have what concerns whole organizations. */
  readonly region: string;
  /** Scheme, host and port of a server of the home region; undefined: this server has its database. */
  readonly homeAddress: string | undefined;
  /** The other regions that are served. */
  readonly otherRegions: readonly RegionConfig[];
  /** Where regions are served that this server does not serve: scheme, host and port, by the name of the region. */
  readonly regionAddresses: ReadonlyMap<string, string>;
  /** Seconds for which other regions work under their copies of what the home region has, when that cannot be read; 0: not at all. */
  readonly homeCopyMaxAge: number;
  /** Whether actions are recorded in the regions of their platforms alone; otherwise all in the one region there is. */
  readonly partsRegions: boolean;
  /** The bearer token of commands that read over the API; undefined: the demo auditor's. */
  readonly token: string | undefined;
  /** Path of the identity file with the accepted issuers. undefined: the built-in issuer, on loopback only. */
  readonly identityFile: string | undefined;
  /** Scheme, host and port that clients use; undefined: those it listens on. */
  readonly publicUrl: string | undefined;
  readonly signingKeyFile: string;
  /** Path of the file with problems of guards that the operator accepts; undefined: none. */
  readonly guardExceptions: string | undefined;
  /** Path of the file that says where run events of OpenLineage are sent; undefined: nowhere. */
  readonly openLineageFile: string | undefined;
  /** As browsers send them in `Origin`: in lower case, without the port of their scheme. */
  readonly corsOrigins: readonly string[];
  /** Of Slack's Web API, without a slash at its end. */
  readonly slackApiUrl: string;
  /** Microsoft's services for Teams: their addresses, the issuer of requests to bots, and hosts that tokens of bots may be sent to. */
  readonly teams: Readonly<Record<"loginUrl" | "openIdUrl" | "tokenIssuer", string>> & {
    readonly serviceHosts: readonly string[];
  };
  readonly logLevel: string;
  /** Seconds until a PENDING action expires. */
  readonly approvalTtl: number;
  /** Seconds after the approval in which a grant can be redeemed; claiming again does not extend it. */
  readonly grantTtl: number;
  /** Seconds until an EXECUTING action without a reported outcome becomes AMBIGUOUS. */
  readonly executionTtl: number;
  /** Seconds an execution may take in all; at least `executionTtl`. */
  readonly executionLimit: number;
  /** Idle seconds after which a principal's next step starts a new routing chain. */
  readonly chainIdle: number;
  /** Seconds until a session expires. */
  readonly sessionTtl: number;
  /** How old the groups and roles of a browser session may be. Milliseconds; the settings are seconds. */
  readonly claimsMaxAge: {
    readonly reading: number;
    /** 0: the identity provider is asked for each decision. */
    readonly decision: number;
  };
  /** Seconds between heartbeats on an idle subscription. */
  readonly heartbeat: number;
  /** Seconds between sweeps for expired and ambiguous actions. */
  readonly sweepInterval: number;
  /** How long the database may take; the settings are seconds. */
  readonly timeLimits: Readonly<
    Record<"appendMs" | "headLockMs" | "readMs" | "searchMs" | "snapshotMs" | "jobMs" | "readinessMs", number>
  >;
  /** Of logins of `oc_bi` (report) and `oc_auditor` (audit): seconds of a transaction, and connections of a login. */
  readonly readerLimits: { readonly report: number; readonly audit: number; readonly connections: number };
  /** How the ledgers are verified while the server runs. */
  readonly watch: {
    /** Whether a problem of a ledger stops appends to it, or is only reported. */
    readonly stops: boolean;
    /** Share of one core, from 0 to 1. */
    readonly share: number;
    /** Seconds between two verifications of the guards, and of the end of a ledger in use. */
    readonly interval: number;
    /** Seconds from the begin of one verification of whole ledgers to the next. */
    readonly wholeInterval: number;
  };
  /** Of channels. */
  readonly channels: {
    /** Addresses that are not public and may be reached all the same: IP addresses, or ranges in CIDR notation. */
    readonly privateAddresses: readonly string[];
    /** Seconds for which the groups of a person's last sign-in count for what they do in a chat. */
    readonly claimsMaxAge: number;
    /** Seconds after which another server sends notices in the place of one that does not respond. */
    readonly lease: number;
    /** Seconds between two looks for notices that are due. */
    readonly interval: number;
  };
  /** Seconds by which the clocks of the database and this server may differ before nothing is recorded. */
  readonly clockTolerance: number;
  /** Drafts in one ledger's append queue above which an append throws LedgerUnavailableError. */
  readonly appendQueue: number;
}

export interface CheckedConfig {
  /** With the default of each setting that is bad. */
  readonly config: Config;
  /** What is wrong, each beginning with the name of its variable. */
  readonly problems: readonly string[];
}

/** Reads the settings from `environment`; the only place that does. */
export function checkConfig(environment: Environment = process.env, overrides: Partial<Config> = {}): CheckedConfig {
  // An empty variable means unset, as in a shell's `PORT= npm start`.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const parsed = settings.safeParse(given);
  if (parsed.success) {
    return { config: configOf(parsed.data, overrides), problems: problemsTogether(given, parsed.data) };
  }
  const { issues } = parsed.error;
  const bad = new Set(issues.map(({ path: [name] }) => name));
  const good = Object.fromEntries(Object.entries(given).filter(([name]) => !bad.has(name)));
  const value = settings.parse(good);
  const problems = issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
  return { config: configOf(value, overrides), problems: [...problems, ...problemsTogether(good, value)] };
}

/** The settings in `environment`. Throws ConfigurationError naming each bad one. */
export function loadConfig(environment: Environment = process.env, overrides: Partial<Config> = {}): Config {
  const { config, problems } = checkConfig(environment, overrides);
  if (problems.length === 0) return config;
  throw new ConfigurationError(`bad settings: ${problems.join("; ")}`, undefined, problems);
}

function configOf(value: Values, overrides: Partial<Config>): Config {
  const { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile } = value;
  const dataDir = path.resolve(value.DATA_DIR);
  return Object.freeze({
    host: value.HOST,
    port: value.PORT,
    tls: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
    metricsPort: value.METRICS_PORT,
    metricsHost: value.METRICS_HOST,
    connectionLimits: {
      connections: value.CONNECTION_LIMIT,
      connectionsPerAddress: value.ADDRESS_CONNECTION_LIMIT,
      headerTimeout: value.HEADER_TIMEOUT * 1_000,
      idleTimeout: value.IDLE_TIMEOUT * 1_000,
      sendTimeout: value.SEND_TIMEOUT * 1_000,
    },
    socketLimits: {
      requestsPerPrincipal: value.REQUEST_LIMIT,
      streamsPerPrincipal: value.STREAM_LIMIT,
      streamsPerPerson: value.PERSON_STREAM_LIMIT,
      operationsPerSocket: value.OPERATION_LIMIT,
      sendTimeout: value.SEND_TIMEOUT * 1_000,
      bufferedBytes: value.SEND_BUFFER,
    },
    rateLimits: {
      changesPerPrincipal: value.CHANGE_RATE,
      changesPerPerson: value.PERSON_CHANGE_RATE,
      anonymousPerAddress: value.ANONYMOUS_RATE,
    },
    resultBytes: value.RESULT_BYTES,
    responseLimits: { responseBytes: value.RESPONSE_BYTES, unreadBytes: value.RESPONSE_MEMORY },
    production: value.NODE_ENV === "production",
    dataDir,
    databaseUrl: value.DATABASE_URL ?? value.REGIONS.get(value.REGION),
    migrationDatabaseUrl: value.MIGRATION_DATABASE_URL ?? value.MIGRATION_REGIONS.get(value.REGION),
    databasePool: value.DATABASE_POOL,
    catalog: value.CATALOG,
    region: value.REGION,
    homeAddress: homeAddressOf(value),
    otherRegions: otherRegionsOf(value, overrides.dataDir ?? dataDir),
    regionAddresses: value.REGION_ADDRESSES,
    homeCopyMaxAge: value.HOME_COPY_MAX_AGE,
    partsRegions: value.REGIONS.size + value.REGION_ADDRESSES.size > 0,
    token: value.COUNTERSIGN_TOKEN,
    identityFile: value.IDENTITY_FILE,
    publicUrl: value.PUBLIC_URL,
    signingKeyFile: value.SIGNING_KEY_FILE ?? path.join(overrides.dataDir ?? dataDir, "keys.json"),
    guardExceptions: value.GUARD_EXCEPTIONS,
    openLineageFile: value.OPENLINEAGE_FILE,
    corsOrigins: value.CORS_ORIGINS,
    slackApiUrl: value.SLACK_API_URL,
    teams: {
      loginUrl: value.TEAMS_LOGIN_URL,
      openIdUrl: value.TEAMS_OPENID_URL,
      tokenIssuer: value.TEAMS_TOKEN_ISSUER,
      serviceHosts: value.TEAMS_SERVICE_HOSTS,
    },
    logLevel: value.LOG_LEVEL,
    approvalTtl: value.APPROVAL_TTL,
    grantTtl: value.GRANT_TTL,
    executionTtl: value.EXECUTION_TTL,
    executionLimit: Math.max(value.EXECUTION_LIMIT, value.EXECUTION_TTL),
    chainIdle: value.CHAIN_IDLE,
    sessionTtl: value.SESSION_TTL,
    claimsMaxAge: { reading: value.CLAIMS_MAX_AGE * 1_000, decision: value.DECISION_CLAIMS_MAX_AGE * 1_000 },
    heartbeat: value.HEARTBEAT,
    sweepInterval: value.SWEEP_INTERVAL,
    timeLimits: {
      appendMs: value.APPEND_TIMEOUT * 1_000,
      headLockMs: value.HEAD_LOCK_TIMEOUT * 1_000,
      readMs: value.READ_TIMEOUT * 1_000,
      searchMs: value.SEARCH_TIMEOUT * 1_000,
      snapshotMs: value.SNAPSHOT_TIMEOUT * 1_000,
      jobMs: value.JOB_TIMEOUT * 1_000,
      readinessMs: value.READINESS_TIMEOUT * 1_000,
    },
    readerLimits: {
      report: value.REPORT_TIMEOUT,
      audit: value.AUDIT_TIMEOUT,
      connections: value.READER_CONNECTIONS,
    },
    watch: {
      stops: value.WATCH_ACTION === "stop",
      share: value.WATCH_SHARE / 100,
      interval: value.WATCH_INTERVAL,
      wholeInterval: value.WATCH_WHOLE_INTERVAL,
    },
    channels: {
      privateAddresses: value.CHANNEL_PRIVATE_ADDRESSES,
      claimsMaxAge: value.CHANNEL_CLAIMS_MAX_AGE,
      lease: value.CHANNEL_LEASE,
      interval: value.CHANNEL_INTERVAL,
    },
    clockTolerance: value.CLOCK_TOLERANCE,
    appendQueue: value.APPEND_QUEUE,
    ...overrides,
  });
}
