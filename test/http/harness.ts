import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type JWTPayload, SignJWT } from "jose";
import type { Pool, PoolClient } from "pg";
import { loadConfig } from "../../src/config.ts";
import { createListener } from "../../src/db/listen.ts";
import { createPool } from "../../src/db/pool.ts";
import { createActions } from "../../src/domain/actions/actions.ts";
import { type ChannelsOptions, createChannels } from "../../src/domain/channels/channels.ts";
import { createOutgoing } from "../../src/domain/channels/outbound.ts";
import type { TeamsEndpoints } from "../../src/domain/channels/teams/settings.ts";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { parseIdentityFile } from "../../src/domain/identity/identity-file.ts";
import { type Keys, loadKeys, SIGNATURE_ALGORITHM } from "../../src/domain/identity/keys.ts";
import { createBuiltinIssuer } from "../../src/domain/identity/tokens/builtin-issuer.ts";
import { ACCESS_TOKEN_TYPE } from "../../src/domain/identity/tokens/issuers.ts";
import { createTryPolicy } from "../../src/domain/policy/apart.ts";
import { type Catalog, loadCatalog } from "../../src/domain/policy/catalog.ts";
import { createPolicy, type Policy, type Requirement } from "../../src/domain/policy/evaluate.ts";
import { createPolicies } from "../../src/domain/policy/policies.ts";
import { recordedRequirement } from "../../src/domain/policy/requirements.ts";
import { createRefusals } from "../../src/domain/refusals/refusals.ts";
import { createSessions } from "../../src/domain/sessions/sessions.ts";
import { CanonicalText, canonicalize, type JsonObject } from "../../src/facts/canonical.ts";
import type { Services } from "../../src/graphql/base/services.ts";
import type { CallIdentity } from "../../src/http/call.ts";
import { createMetrics } from "../../src/http/metrics.ts";
import { createHttpServer, type HttpServerDeps } from "../../src/http/server.ts";
import { CHANNEL } from "../../src/ledger/announce.ts";
import { createFollower } from "../../src/ledger/follow.ts";
import { createLedgers } from "../../src/ledger/ledger.ts";
import { createSignatureCheck } from "../../src/ledger/signatures/check.ts";
import { createLedgerSnapshots } from "../../src/ledger/snapshot.ts";
import { verifyLedger } from "../../src/ledger/verify.ts";
import { createLogger } from "../../src/log.ts";
import { createDrivers } from "../../src/main/channels.ts";
import { channelReceiver } from "../../src/main/http.ts";
import { createIdentity, type IdentityServices } from "../../src/main/identity.ts";
import { createServices } from "../../src/main/services.ts";
import { FACT_KEY, FACT_KEYS } from "../support/fact-keys.ts";
import { createTestWatch } from "../support/watch.ts";

/** Parts of statements that follow a call, which does not wait for them: followers are notified, approvals noted as shown. */
const BESIDE_CALLS = ["pg_notify", "oc_work.first_shown AS"];

/** A server of the API alone, in this process, on a database of the test's own: without jobs, heads or configuration. */
export interface Api {
  readonly url: string;
  readonly wsUrl: string;
  readonly services: Services;
  /** Where queries take their connections. */
  readonly snapshotPool: Pool;
  /** Lines the server logged. */
  readonly logged: readonly string[];
  /** Statements sent to the database since the last call. */
  queries(): number;
  /** Texts of the statements sent since the last call of `queries`. */
  readonly sent: readonly string[];
  token(as: DemoName, options?: { readonly roles?: readonly string[]; readonly ttl?: number }): Promise<string>;
  readonly identity: IdentityServices;
  /** A token with these claims, signed like the others. */
  sign(claims: JWTPayload): Promise<string>;
  /** `Data`: what the query selects, as the test takes it to be. */
  gql<Data = unknown>(
    query: string,
    variables?: object,
    options?: { readonly as?: DemoName; readonly token?: string },
  ): Promise<Answer<Data>>;
  /** The text of the server's metrics. */
  metrics(): Promise<string>;
  post(body: string | Uint8Array, headers?: Record<string, string>): Promise<Response>;
  close(): Promise<void>;
}

export interface Answer<Data = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly data: Data;
  readonly errors: readonly AnswerError[] | undefined;
}

export interface AnswerError {
  readonly message: string;
  readonly extensions: { readonly code: string; readonly traceId?: string };
}

export type ApiOptions = Partial<
  Pick<
    HttpServerDeps,
    | "responseLimits"
    | "rateLimits"
    | "corsOrigins"
    | "socketLimits"
    | "connectionLimits"
    | "peers"
    | "checks"
    | "jsonRoute"
    | "publicUrl"
  >
> & {
  readonly heartbeat?: number;
  /** Has notices sent; left out, none are. */
  readonly channels?: Partial<ChannelsOptions["config"]>;
  /** Where Slack and Microsoft's services are, for tests that have their own. */
  readonly slackApiUrl?: string;
  readonly teams?: TeamsEndpoints;
  /** Seconds; 3600 when left out. */
  readonly approvalTtl?: number;
  /** Seconds; 900 when left out. */
  readonly executionTtl?: number;
  /** Milliseconds. */
  readonly statementTimeoutMs?: number;
  /** How many people must approve a write; one when left out. */
  readonly approvers?: number;
  /** What a write requires; approvals of one of `approvers` when left out. */
  readonly requirements?: readonly Requirement[];
  /** Whether approvals of people who are suspended are not voided, as by a server that ends in between. */
  readonly leavesApprovals?: boolean;
  /** Of the keys of grants and tokens, for servers that share them; otherwise the server has its own. */
  readonly keyFile?: string;
  /** The sample catalog when left out. */
  readonly catalog?: Catalog;
  readonly snapshots?: { readonly connections?: number; readonly maxSeconds?: number; readonly maxBytes?: number };
  readonly services?: (services: Services) => Services;
  readonly identity?: (identity: CallIdentity) => CallIdentity;
  /** What an identity file says; nothing: the built-in issuer. */
  readonly identityFile?: object;
  /** Milliseconds. */
  readonly claimsMaxAge?: { readonly reading?: number; readonly decision?: number };
  /** Where callers are looked up instead of the database: out of reach, in tests of that. */
  readonly identityDatabaseUrl?: string;
  /** Whether reading the audit log is recorded, as it is in the product. */
  readonly recordsReading?: boolean;
};

export async function startApi(databaseUrl: string, options: ApiOptions = {}): Promise<Api> {
  const logged: string[] = [];
  const log = createLogger("debug", { write: (line) => void logged.push(line) });
  const pool = createPool({
    connectionString: databaseUrl,
    max: 8,
    applicationName: "test-api",
    log,
    statementTimeoutMs: options.statementTimeoutMs ?? 30_000,
  });
  const snapshotPool = createPool({
    connectionString: databaseUrl,
    max: options.snapshots?.connections ?? 4,
    applicationName: "test-snapshots",
    log,
    statementTimeoutMs: options.statementTimeoutMs ?? 30_000,
  });
  const sent: string[] = [];
  const note = (client: PoolClient) => {
    const query = client.query.bind(client) as (...parameters: unknown[]) => unknown;
    Object.assign(client, {
      query: (...parameters: unknown[]) => {
        const [first] = parameters;
        const text = typeof first === "string" ? first : String((first as { readonly text?: string }).text);
        if (!BESIDE_CALLS.some((part) => text.includes(part))) sent.push(text);
        return query(...parameters);
      },
    });
  };
  pool.on("connect", note);
  snapshotPool.on("connect", note);
  const directory = await mkdtemp(join(tmpdir(), "countersign-keys-"));
  // All servers of a test sign facts with one key, as those of an installation do.
  const keys: Keys = {
    ...(await loadKeys(options.keyFile ?? join(directory, "keys.json"))),
    facts: { signing: FACT_KEY, published: FACT_KEYS },
  };
  const issuer = createBuiltinIssuer({ keys, audience: "countersign" });
  const { isSigned, appended: onSigned } = createSignatureCheck({ keys: () => keys.facts.published });
  const watchPool = createPool({
    connectionString: databaseUrl,
    max: 3,
    applicationName: "test-watch",
    log,
    statementTimeoutMs: 30_000,
  });
  const watch = createTestWatch(watchPool, join(directory, "heads"));
  // For what is read in the background, which is no statement of any call.
  const background = createPool({
    connectionString: options.identityDatabaseUrl ?? databaseUrl,
    max: 2,
    applicationName: "test-background",
    log,
    statementTimeoutMs: 30_000,
  });
  const ledgers = createLedgers({
    pool,
    readinessPool: background,
    capacity: 1_000,
    signer: FACT_KEY.sign,
    onSigned,
  });
  const catalog = options.catalog ?? (await loadCatalog());
  const platforms = [...catalog.platforms.keys()];
  const policy = requiring(createPolicy(catalog), options);
  const config = {
    region: "eu",
    approvalTtl: options.approvalTtl ?? 3600,
    grantTtl: 900,
    executionTtl: options.executionTtl ?? 900,
    chainIdle: 1800,
  };
  const follower = createFollower({ pool, pollSeconds: 5, idleSeconds: options.heartbeat ?? 15 });
  const biBehind = async () => ({ entries: 0, stopped: 0 });
  const metrics = createMetrics({
    waiting: ledgers.waiting,
    pendingApprovals: async () => 0,
    biBehind,
    watch: watch.status,
  });
  const sessions = createSessions({ ledgers, db: pool, region: "eu" });
  let origin = "http://localhost";
  const identity = createIdentity({
    settings: parseIdentityFile(options.identityFile ?? {}),
    keys,
    ledgers,
    isSigned,
    sessions,
    db: background,
    region: "eu",
    platforms,
    claimsMaxAge: { reading: 300_000, decision: 0, ...options.claimsMaxAge },
    publicUrl: () => options.publicUrl ?? origin,
    metrics,
    log,
  });
  const people = identity.directory;
  const listener = createListener({
    connectionString: databaseUrl,
    channel: CHANNEL,
    log,
    onNotify: (payload) => {
      follower.onNotify(payload);
      people.onNotify(payload);
    },
    onReconnect: () => {
      follower.onReconnect();
      people.onReconnect();
    },
  });
  await listener.start();
  const refusals = createRefusals({ ledgers, log });
  const policies = createPolicies({ starter: policy, publishedBy: people.publishedBy, open: people.refresh });
  const tryPolicy = createTryPolicy();
  const actions = createActions({
    ledgers,
    isSigned,
    pool,
    policy,
    policies,
    tryPolicy,
    statusOf: people.statusOf,
    known: people,
    reach: people,
    keys,
    config,
    attribution: sessions,
    refusals,
  });
  if (options.leavesApprovals !== true) people.onSuspended(actions.voidApprovals);
  const outgoing = createOutgoing(["127.0.0.1", "::1"]);
  const channels = createChannels({
    ledgers,
    db: background,
    isSigned,
    region: "eu",
    actions,
    policies,
    directory: people,
    attribute: sessions.attribute,
    follower,
    drivers: createDrivers(outgoing, {
      slackApiUrl: options.slackApiUrl ?? "http://127.0.0.1:9",
      teams: options.teams ?? loadConfig({}).teams,
      log,
    }),
    key: keys.secret("channels"),
    publicUrl: () => options.publicUrl ?? origin,
    config: { claimsMaxAge: 3_600, lease: 15, interval: 0.5, ...options.channels },
    log,
  });
  if (options.channels !== undefined) channels.start();
  const services = createServices({
    channels,
    actions,
    policies,
    tryPolicy,
    approvalTtl: config.approvalTtl,
    sessions,
    directory: people,
    ...(options.recordsReading === true ? { readingLog: identity.readingLog } : {}),
    ledgers,
    pool,
    snapshots: createLedgerSnapshots({ pool: snapshotPool, ledgers, ...options.snapshots }),
    follower,
    verify: (ledger, range) => verifyLedger(pool, ledger, { ...range, keys: keys.facts.published }),
    watch,
    keys,
    region: "eu",
    platforms,
    heartbeat: options.heartbeat ?? 15,
  });
  const server = createHttpServer({
    services: options.services?.(services) ?? services,
    identity: options.identity?.(identity.calls) ?? identity.calls,
    signIn: identity.signIn.handle,
    receiveChannel: channelReceiver(channels),
    checks: options.checks ?? ledgers.ready,
    metrics,
    log,
    corsOrigins: options.corsOrigins ?? [],
    socketLimits: options.socketLimits ?? {},
    connectionLimits: options.connectionLimits ?? {},
    responseLimits: options.responseLimits ?? {},
    rateLimits: options.rateLimits ?? {},
    ...(options.peers === undefined ? {} : { peers: options.peers }),
    jsonRoute: options.jsonRoute ?? true,
    publicUrl: options.publicUrl,
  });
  const port = await server.listen(0, "127.0.0.1");
  const url = `http://127.0.0.1:${port}/graphql`;
  origin = `http://127.0.0.1:${port}`;
  const token: Api["token"] = (as, how) => issuer.sign(as, how);
  const post: Api["post"] = (body, headers = {}) =>
    fetch(url, { method: "POST", body: body as BodyInit, headers: { "content-type": "application/json", ...headers } });
  return {
    url,
    wsUrl: url.replace("http", "ws"),
    services,
    snapshotPool,
    identity,
    logged,
    queries() {
      return sent.splice(0).length;
    },
    sent,
    token,
    sign: (claims) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: SIGNATURE_ALGORITHM, typ: ACCESS_TOKEN_TYPE, kid: keys.issuer.kid })
        .setIssuer(issuer.issuer)
        .setAudience("countersign")
        .setIssuedAt()
        .setExpirationTime("1h")
        .setJti(randomUUID())
        .sign(keys.issuer.privateKey),
    metrics: metrics.scrape,
    post,
    async gql<Data>(query: string, variables = {}, { as, token: given }: { as?: DemoName; token?: string } = {}) {
      const bearer = given ?? (as === undefined ? undefined : await token(as));
      const response = await post(
        JSON.stringify({ query, variables }),
        bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
      );
      const { data, errors } = (await response.json()) as Pick<Answer<Data>, "data" | "errors">;
      return { status: response.status, headers: response.headers, data, errors };
    },
    async close() {
      await server.close(1_000);
      await channels.stop();
      outgoing.close();
      await identity.stop();
      await refusals.stop();
      await ledgers.close();
      await listener.stop();
      await watch.stop();
      await watchPool.end();
      await snapshotPool.end();
      await background.end();
      await pool.end();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The same policy, requiring these or this many approvals where it requires any. */
function requiring(policy: Policy, options: Pick<ApiOptions, "approvers" | "requirements">): Policy {
  const { approvers: needed, requirements: instead } = options;
  if (needed === undefined && instead === undefined) return policy;
  return {
    ...policy,
    evaluate(...what) {
      const evaluation = policy.evaluate(...what);
      const own = evaluation.requirements.map((requirement) => ({ ...requirement, needed: needed ?? 1 }));
      const requirements = own.length === 0 ? own : (instead ?? own);
      const asked = requirements.map(recordedRequirement);
      const recorded: typeof evaluation.recorded = new CanonicalText(
        canonicalize({ ...(JSON.parse(evaluation.recorded.text) as JsonObject), requirements: asked }),
      );
      return { ...evaluation, requirements, recorded };
    },
  };
}
