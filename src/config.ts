import path from "node:path";
import { z } from "zod";
import { ConfigurationError } from "./errors.ts";

/** Durations are seconds, sizes bytes. */
const settings = z.object({
  HOST: z.string().default("127.0.0.1"),
  PORT: z.coerce.number().int().min(0).max(65_535).default(4000),
  NODE_ENV: z.enum(["development", "test", "production"]).default("development"),
  DATA_DIR: z.string().min(1).default(".data"),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  MIGRATION_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  DATABASE_POOL: z.coerce.number().int().min(4).max(200).default(16),
  CATALOG: z.string().min(1).optional(),
  REGION: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
    .default("eu"),
  COUNTERSIGN_TOKEN: z
    .string()
    .regex(/^[\w.~+/-]+=*$/, "is not a bearer token")
    .optional(),
  IDENTITY_FILE: z.string().min(1).optional(),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .refine((url) => /^https?:\/\/[^/?#@]+\/?$/i.test(url), "has to be scheme, host and port alone")
    .transform((url) => new URL(url).origin)
    .optional(),
  SIGNING_KEY_FILE: z.string().min(1).optional(),
  CORS_ORIGINS: z
    .string()
    .default("")
    .transform((list) =>
      list
        .split(",")
        .map((origin) => origin.trim())
        .filter(Boolean),
    ),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
  APPROVAL_TTL: z.coerce.number().int().min(1).default(86_400),
  GRANT_TTL: z.coerce.number().int().min(1).default(900),
  EXECUTION_TTL: z.coerce.number().int().min(1).default(900),
  CHAIN_IDLE: z.coerce.number().int().min(1).default(1_800),
  SESSION_TTL: z.coerce.number().int().min(1).default(43_200),
  HEARTBEAT: z.coerce.number().min(0.1).default(15),
  SWEEP_INTERVAL: z.coerce.number().min(0.05).default(5),
  APPEND_QUEUE: z.coerce.number().int().min(1).default(10_000),
});

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly production: boolean;
  readonly dataDir: string;
  readonly databaseUrl: string | undefined;
  readonly migrationDatabaseUrl: string | undefined;
  readonly databasePool: number;
  /** Path of the catalog of tools and platforms; undefined: the sample that ships with the product. */
  readonly catalog: string | undefined;
  readonly region: string;
  /** The bearer token of commands that read over the API; undefined: the demo auditor's. */
  readonly token: string | undefined;
  /** Path of the identity file: who signs people and agents in. undefined: the built-in issuer, on loopback only. */
  readonly identityFile: string | undefined;
  /** Where clients reach this server; undefined: where it listens. */
  readonly publicUrl: string | undefined;
  readonly signingKeyFile: string;
  readonly corsOrigins: readonly string[];
  readonly logLevel: string;
  /** Seconds a PENDING action waits for people before it expires. */
  readonly approvalTtl: number;
  /** Seconds a grant can be spent, from approval on; claiming it again does not prolong it. */
  readonly grantTtl: number;
  /** Seconds an EXECUTING action may stay unreported before it becomes AMBIGUOUS. */
  readonly executionTtl: number;
  /** Idle seconds after which a principal's next step starts a new routing chain. */
  readonly chainIdle: number;
  /** Seconds after which a session that nobody ended is over. */
  readonly sessionTtl: number;
  /** Seconds between heartbeats on an idle subscription. */
  readonly heartbeat: number;
  /** Seconds between sweeps for expired and ambiguous actions. */
  readonly sweepInterval: number;
  /** Drafts one ledger's append queue may hold before it answers LEDGER_UNAVAILABLE. */
  readonly appendQueue: number;
}

/** Reads the settings from `environment`; the only place that does. Throws ConfigurationError naming each bad one. */
export function loadConfig(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  overrides: Partial<Config> = {},
): Config {
  // An empty variable means unset, as in a shell's `PORT= npm start`.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const parsed = settings.safeParse(given);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new ConfigurationError(`bad settings: ${issues.join("; ")}`);
  }
  const value = parsed.data;
  const dataDir = path.resolve(value.DATA_DIR);
  return Object.freeze({
    host: value.HOST,
    port: value.PORT,
    production: value.NODE_ENV === "production",
    dataDir,
    databaseUrl: value.DATABASE_URL,
    migrationDatabaseUrl: value.MIGRATION_DATABASE_URL,
    databasePool: value.DATABASE_POOL,
    catalog: value.CATALOG,
    region: value.REGION,
    token: value.COUNTERSIGN_TOKEN,
    identityFile: value.IDENTITY_FILE,
    publicUrl: value.PUBLIC_URL,
    signingKeyFile: value.SIGNING_KEY_FILE ?? path.join(overrides.dataDir ?? dataDir, "keys.json"),
    corsOrigins: value.CORS_ORIGINS,
    logLevel: value.LOG_LEVEL,
    approvalTtl: value.APPROVAL_TTL,
    grantTtl: value.GRANT_TTL,
    executionTtl: value.EXECUTION_TTL,
    chainIdle: value.CHAIN_IDLE,
    sessionTtl: value.SESSION_TTL,
    heartbeat: value.HEARTBEAT,
    sweepInterval: value.SWEEP_INTERVAL,
    appendQueue: value.APPEND_QUEUE,
    ...overrides,
  });
}
