// The API on a database of its own, with everything that tells who calls, or with a stand-in that knows already:
// `node attributing-server.ts <data directory> with|without`. Prints its address, then serves until it is killed.
import path from "node:path";
import { openDatabase } from "../../../src/db/database.ts";
import { createActions } from "../../../src/domain/actions/actions.ts";
import { createChannels } from "../../../src/domain/channels/channels.ts";
import type { Authentication } from "../../../src/domain/identity/authentication.ts";
import { parseIdentityFile } from "../../../src/domain/identity/identity-file.ts";
import { loadKeys } from "../../../src/domain/identity/keys.ts";
import { createTryPolicy } from "../../../src/domain/policy/apart.ts";
import { loadCatalog } from "../../../src/domain/policy/catalog.ts";
import { createPolicy } from "../../../src/domain/policy/evaluate.ts";
import { createPolicies } from "../../../src/domain/policy/policies.ts";
import { createAttribution } from "../../../src/domain/sessions/attribution.ts";
import { createSessions } from "../../../src/domain/sessions/sessions.ts";
import type { CallIdentity } from "../../../src/http/call.ts";
import { createMetrics } from "../../../src/http/metrics.ts";
import { createHttpServer } from "../../../src/http/server.ts";
import { createFollower } from "../../../src/ledger/follow.ts";
import { createLedgerSnapshots } from "../../../src/ledger/snapshot.ts";
import { createLogger } from "../../../src/log.ts";
import { createIdentity } from "../../../src/main/identity.ts";
import { createServices } from "../../../src/main/services.ts";
import { createLedgers, isSigned, verifyLedger } from "../../support/ledgers.ts";
import { createTestWatch } from "../../support/watch.ts";

const [dataDir = "", mode] = process.argv.slice(2);
const region = "eu";
const log = createLogger("warn");
const keys = await loadKeys(path.join(dataDir, "keys.json"));
const database = await openDatabase({
  databaseUrl: undefined,
  migrationDatabaseUrl: undefined,
  dataDir,
  connections: 16,
  log,
});
const { pool, snapshotPool } = database;
const watch = createTestWatch(pool, path.join(dataDir, "heads"));
const biBehind = async () => ({ entries: 0, stopped: 0 });
const metrics = createMetrics({ waiting: () => 0, pendingApprovals: async () => 0, biBehind, watch: watch.status });
const ledgers = createLedgers({ pool: database.appendPool, capacity: 10_000 });
const sessions = createSessions({ ledgers, db: pool, region });
const catalog = await loadCatalog();
const platforms = [...catalog.platforms.keys()];
let origin = "";
const identity = createIdentity({
  settings: parseIdentityFile({}),
  keys,
  ledgers,
  isSigned,
  sessions,
  db: pool,
  region,
  platforms,
  claimsMaxAge: { reading: 300_000, decision: 0 },
  publicUrl: () => origin,
  metrics,
  log,
});

/** The same two callers and client as ever, of whom nothing has to be found out. */
const PERSON = { kind: "HUMAN", organization: "acme", roles: ["member"], groups: [] } as const;
const AGENT: Authentication = {
  principal: {
    ...PERSON,
    id: "agent",
    kind: "AGENT",
    displayName: "Demo agent",
    roles: ["agent"],
    onBehalfOf: { ...PERSON, id: "member", displayName: "Demo member", email: "member@acme.example" },
  },
  issuer: "none",
  method: "none",
  expiresAt: 4e9,
};
const CLIENT = { name: "unknown", confidence: "UNKNOWN", modelConfidence: "UNKNOWN", evidence: {} } as const;
const known: CallIdentity = {
  authenticate: async () => AGENT,
  identify: () => CLIENT,
  addressOf: () => undefined,
};
const nobody = { attribute: async () => undefined };

const policy = createPolicy(catalog);
const config = { region, approvalTtl: 3600, grantTtl: 900, executionTtl: 900, chainIdle: 1800 };
const attribution = mode === "with" ? createAttribution({ ledgers, db: database.appendPool, region }) : nobody;
const actions = createActions({ ledgers, isSigned, pool, policy, keys, config, attribution });
const policies = createPolicies({ starter: policy });
const follower = createFollower({ pool });
const channels = createChannels({
  ledgers,
  db: pool,
  isSigned,
  region,
  actions,
  policies,
  directory: identity.directory,
  attribute: "none",
  follower,
  drivers: [],
  key: keys.secret("channels"),
  publicUrl: () => "http://localhost",
  config: { claimsMaxAge: 3_600, lease: 15, interval: 2 },
  log,
});
const services = createServices({
  actions,
  channels,
  policies,
  tryPolicy: createTryPolicy(),
  approvalTtl: config.approvalTtl,
  sessions,
  directory: identity.directory,
  ledgers,
  pool,
  snapshots: createLedgerSnapshots({ pool: snapshotPool, ledgers }),
  follower,
  verify: (ledger, range) => verifyLedger(pool, ledger, range),
  watch,
  keys,
  region,
  platforms,
  heartbeat: 15,
});
const server = createHttpServer({
  services,
  identity: mode === "with" ? identity.calls : known,
  checks: async () => ({}),
  metrics,
  log,
  corsOrigins: [],
});
const port = await server.listen(0, "127.0.0.1");
origin = `http://127.0.0.1:${port}`;
process.stdout.write(`${origin}/graphql\n`);
process.once("SIGTERM", async () => {
  await server.close(0);
  await identity.stop();
  await ledgers.close();
  await database.close();
  process.exit(0);
});
