import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPool } from "../../src/db/pool.ts";
import { createAuthenticator } from "../../src/domain/identity/authenticate.ts";
import type { Authentication } from "../../src/domain/identity/authentication.ts";
import { createCurrentClaims } from "../../src/domain/identity/browser/current-claims.ts";
import { createSessionTokens } from "../../src/domain/identity/browser/session-tokens.ts";
import { createClientIdentifier } from "../../src/domain/identity/client-identity.ts";
import { parseIdentityFile } from "../../src/domain/identity/identity-file.ts";
import { loadKeys } from "../../src/domain/identity/keys.ts";
import { createUsedOnce } from "../../src/domain/identity/used-once.ts";
import { createOpenSessions } from "../../src/domain/sessions/open-sessions.ts";
import { createSessions } from "../../src/domain/sessions/sessions.ts";
import { createSignIn, type SignIn, type SignInDeps } from "../../src/http/sign-in/sign-in.ts";
import { createLogger } from "../../src/log.ts";
import { createLedgers } from "../support/ledgers.ts";

/** Signing in alone, over HTTP and on a database: no GraphQL, no directory. */
export interface SignInServer {
  readonly url: string;
  readonly callback: string;
  /** Codes of the refusals that were counted. */
  readonly refusals: string[];
  readonly logged: readonly string[];
  /** Types and bodies of the entries of organization acme, in order. */
  entries(): Promise<readonly Entry[]>;
  close(): Promise<void>;
}

export interface Entry {
  readonly type: string;
  readonly session?: string;
  readonly method?: string;
  readonly reason?: string;
  readonly states?: readonly { readonly state: { readonly expiresAt?: string } }[];
  readonly actor?: { readonly id: string; readonly kind: string; readonly roles: readonly string[] };
}

export interface SignInServerOptions {
  /** As in the identity file. */
  readonly issuers: readonly object[];
  readonly signIn: readonly object[];
  readonly publicUrl?: string;
  /** For servers that share their keys, as those of an installation do; otherwise the server has its own. */
  readonly keyFile?: string;
  readonly admit?: (authentication: Authentication) => Promise<Authentication>;
  readonly sessions?: (sessions: SignInDeps["sessions"]) => SignInDeps["sessions"];
  readonly now?: () => number;
}

export async function startSignInServer(databaseUrl: string, options: SignInServerOptions): Promise<SignInServer> {
  const logged: string[] = [];
  const log = createLogger("debug", { write: (line) => void logged.push(line) });
  const pool = createPool({ connectionString: databaseUrl, max: 4, applicationName: "test-sign-in", log });
  const directory = await mkdtemp(join(tmpdir(), "countersign-keys-"));
  const keys = await loadKeys(options.keyFile ?? join(directory, "keys.json"));
  const settings = parseIdentityFile({ issuers: options.issuers, signIn: options.signIn });
  const ledgers = createLedgers({ pool, capacity: 100 });
  const sessions = createSessions({ ledgers, db: pool, region: "eu" });
  const openSessions = createOpenSessions({ ledgers, db: pool, region: "eu", log, freshness: 1 });
  const sessionTokens = createSessionTokens({ keys, audience: "countersign" });
  const authenticator = createAuthenticator({ issuers: [sessionTokens.trusted] });
  const refusals: string[] = [];
  let url = "";
  const clients = createClientIdentifier({
    trustedProxies: [],
    signatureAgents: {},
    gatewayKey: () => undefined,
    publicUrl: () => options.publicUrl ?? url,
  });
  const claims = createCurrentClaims({
    db: pool,
    secret: keys.secret("provider-session"),
    ask: (issuer, session) => signIn.ask(issuer, session),
    revoke: sessions.revoke,
    maxAge: 300_000,
    decisionMaxAge: 0,
    log,
  });
  const signIn: SignIn = createSignIn({
    settings: settings.signIn,
    issuers: settings.issuers,
    publicUrl: () => options.publicUrl ?? url,
    sessions: options.sessions?.(sessions) ?? sessions,
    sessionTokens,
    claims,
    secret: keys.secret("sign-in"),
    usedOnce: createUsedOnce({ db: pool }),
    admit: options.admit ?? (async (authentication) => authentication),
    recognize: authenticator.authenticate,
    identity: {
      authenticate: async (credentials) => {
        const presented = await claims.forReading(await authenticator.authenticate(credentials));
        return openSessions.admit((await options.admit?.(presented)) ?? presented);
      },
      identify: (facts) => clients.identify(facts),
      addressOf: clients.addressOf,
    },
    onRefusal: (code) => refusals.push(code),
    log,
    ...(options.now === undefined ? {} : { now: options.now }),
  });
  const server = createServer((request, response) => {
    const handled = signIn.handle(request.url?.split("?", 1)[0] ?? "/", request, response);
    if (handled === undefined) response.writeHead(200).end(`arrived at ${request.url}`);
    handled?.catch((error: unknown) => {
      log.error({ err: error }, "failed");
      response.writeHead(500).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    callback: `${url}/auth/callback`,
    refusals,
    logged,
    async entries() {
      const { rows } = await pool.query<{ body: Entry }>(
        "SELECT entry::json -> 'body' AS body FROM oc_audit_log WHERE ledger = 'acme/eu' ORDER BY seq",
      );
      return rows.map(({ body }) => body);
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      openSessions.stop();
      await ledgers.close();
      await pool.end();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
