import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import Provider, {
  type ClientMetadata,
  type Configuration,
  interactionPolicy,
  type JWKS,
  type KoaContextWithOIDC,
} from "oidc-provider";
import { logoutPages, renderError, signInPage } from "./identity-provider-pages.ts";
import { createAdapter } from "./identity-provider-store.ts";
import { EXCHANGE_PARAMETERS, exchangedClaims, TOKEN_EXCHANGE, tokenExchange } from "./token-exchange.ts";

/** A person of the provider: the claims its tokens carry, and how the person signs in. */
export interface ProviderUser {
  readonly name: string;
  readonly email: string;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  /** How the person signs in (RFC 8176); left out: tokens do not say. */
  readonly amr?: readonly string[];
  /** The upstream provider the person came from. */
  readonly idp?: string;
}

export interface ProviderAgent {
  readonly secret: string;
  /** Claims of its tokens. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface IdentityProviderOptions {
  readonly users: Readonly<Record<string, ProviderUser>>;
  /** OAuth clients with client credentials and token exchange, by id. */
  readonly agents?: Readonly<Record<string, ProviderAgent>>;
  /** `aud` of the access tokens. */
  readonly audience: string;
  /** Seconds access tokens live. */
  readonly tokenTtl?: number;
  /** To listen on; any free one when left out. */
  readonly port?: number;
  /** Programs that sign people in. */
  readonly clients?: readonly ClientMetadata[];
}

/** A real OpenID provider over HTTP, whose keys and availability a test holds in its hands. */
export interface IdentityProvider {
  readonly issuer: string;
  /** The resource indicator (RFC 8707) that stands for the API. */
  readonly resource: string;
  readonly tokenEndpoint: string;
  /** How often the key set was asked for. */
  keyRequests(): number;
  /** Registers a client while the provider runs: the address of what signs in is known late. */
  addClient(client: ClientMetadata): Promise<void>;
  /** Signs with fresh keys from now on; the earlier ones stay published as long as `keep` says so. */
  rotate(options: { readonly keep: boolean }): Promise<void>;
  /** How often the token endpoint was asked to refresh a token. */
  refreshes(): number;
  /** Changes what tokens say of a person from now on. */
  change(user: string, claims: Partial<ProviderUser>): void;
  /** Ends every session and takes back every refresh token. */
  endSessions(): Promise<void>;
  /** Takes connections and answers none of them, until `resume`. */
  hang(): void;
  /** Refuses connections, until `resume`. */
  stop(): Promise<void>;
  resume(): Promise<void>;
  close(): Promise<void>;
}

/** The public client of native programs. */
export const NATIVE_CLIENT = "native";
export const NATIVE_REDIRECT = "http://127.0.0.1:1/callback";

/** The resource indicator (RFC 8707) that stands for the API. */
export const RESOURCE = "https://countersign.example/api";
const SCOPE = "act";
const TOKEN_TTL = 3600;

export async function startIdentityProvider(given: IdentityProviderOptions): Promise<IdentityProvider> {
  const users = { ...given.users };
  const options = { ...given, users };
  const adapter = createAdapter();
  let handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  let keyRequests = 0;
  let refreshes = 0;
  let hanging = false;
  let keys: JWK[] = await freshKeys();
  const server = createServer((request, response) => {
    if (request.url === "/jwks") keyRequests += 1;
    if (hanging) return;
    handle(request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    });
  });
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await listening(server, options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;

  function serve(): void {
    const provider = new Provider(issuer, configuration(options, { keys } as JWKS, adapter));
    provider.on("grant.success", ({ oidc }) => {
      if (oidc.params?.grant_type === "refresh_token") refreshes += 1;
    });
    const api = apiOf(options);
    const resourceServer = {
      ...api,
      scopes: new Set([SCOPE]),
      identifier: () => RESOURCE,
    };
    const exchange = tokenExchange({
      issuer,
      keys: () => keys,
      agents: options.agents ?? {},
      resourceServer,
    });
    provider.registerGrantType(TOKEN_EXCHANGE, exchange, EXCHANGE_PARAMETERS);
    const ordinary = provider.callback();
    handle = async (request, response) => {
      if (request.url?.startsWith("/interaction/")) return interact(provider, options, request, response);
      await ordinary(request, response);
    };
  }
  serve();

  return {
    issuer,
    resource: RESOURCE,
    tokenEndpoint: `${issuer}/token`,
    keyRequests: () => keyRequests,
    refreshes: () => refreshes,
    change(user, claims) {
      const before = users[user];
      if (before !== undefined) users[user] = { ...before, ...claims };
    },
    async endSessions() {
      for (const model of ["Session", "RefreshToken", "Grant"]) adapter.forget(model);
    },
    hang() {
      hanging = true;
    },
    addClient: async (client) => void (await adapter("Client").upsert(client.client_id, refreshing(client), undefined)),
    async rotate({ keep }) {
      keys = [...(await freshKeys()), ...(keep ? keys : [])];
      serve();
    },
    stop,
    async resume() {
      if (!hanging) return listening(server, port);
      hanging = false;
      server.closeAllConnections();
    },
    close: stop,
  };
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** A client that gets refresh tokens, unless it says otherwise. */
function refreshing(client: ClientMetadata): ClientMetadata {
  return { grant_types: ["authorization_code", "refresh_token"], ...client };
}

/** One key for ID tokens (RS256) and one for access tokens (ES256). */
async function freshKeys(): Promise<JWK[]> {
  const pairs = await Promise.all(["RS256", "ES256"].map((alg) => generateKeyPair(alg, { extractable: true })));
  return Promise.all(
    pairs.map(async ({ privateKey }, at) => {
      const key = await exportJWK(privateKey);
      return {
        ...key,
        kid: await calculateJwkThumbprint(key),
        alg: at === 0 ? "RS256" : "ES256",
        use: "sig",
      };
    }),
  );
}

/** Access tokens for the API: RFC 9068. */
function apiOf({ audience, tokenTtl = TOKEN_TTL }: IdentityProviderOptions) {
  return {
    scope: SCOPE,
    audience,
    accessTokenFormat: "jwt" as const,
    accessTokenTTL: tokenTtl,
    jwt: { sign: { alg: "ES256" as const } },
  };
}

function configuration(
  options: IdentityProviderOptions,
  jwks: JWKS,
  adapter: ReturnType<typeof createAdapter>,
): Configuration {
  const { users, agents = {}, tokenTtl = TOKEN_TTL } = options;
  return {
    adapter,
    jwks,
    clients: [
      {
        client_id: NATIVE_CLIENT,
        application_type: "native",
        token_endpoint_auth_method: "none",
        redirect_uris: [NATIVE_REDIRECT],
      },
      ...(options.clients ?? []).map(refreshing),
      ...Object.entries(agents).map(([client_id, { secret }]) => ({
        client_id,
        client_secret: secret,
        grant_types: ["client_credentials", TOKEN_EXCHANGE],
        response_types: [],
        redirect_uris: [],
      })),
    ],
    renderError,
    issueRefreshToken: async (_context, client) => client.grantTypeAllowed("refresh_token"),
    // A refresh token that comes twice ends the session (RFC 9700, section 4.14.2).
    rotateRefreshToken: true,
    claims: {
      openid: ["sub", "amr"],
      profile: ["name", "roles", "groups", "idp"],
      email: ["email", "email_verified"],
    },
    conformIdTokenClaims: false,
    cookies: { keys: ["only of this test"] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true },
      rpInitiatedLogout: logoutPages,
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // Tokens of a program that signs people in are for UserInfo.
        defaultResource: (_context, client, oneOf) =>
          oneOf ??
          (client?.clientId === NATIVE_CLIENT || client?.grantTypeAllowed("authorization_code") !== true
            ? RESOURCE
            : []),
        useGrantedResource: () => true,
        getResourceServerInfo: () => apiOf(options),
      },
    },
    extraTokenClaims: (context, token) =>
      exchangedClaims(context) ??
      (token.kind === "ClientCredentials"
        ? { ...agents[token.clientId ?? ""]?.claims }
        : personalClaims(users, context, token)),
    async findAccount(_context, id) {
      const user = users[id];
      if (user === undefined) return undefined;
      const { amr: _, ...claims } = user;
      return {
        accountId: id,
        claims: () => ({ sub: id, email_verified: true, ...claims }),
      };
    },
    // Whoever signs in has consented: what is tested lies behind that.
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client?.clientId ?? "",
        accountId: oidc.session?.accountId ?? "",
      });
      grant.addOIDCScope("openid profile email");
      grant.addResourceScope(RESOURCE, SCOPE);
      await grant.save();
      return grant;
    },
    interactions: {
      policy: interactions(),
      url: (_context, { uid }) => `/interaction/${uid}`,
    },
    pkce: { required: () => true },
    ttl: {
      AccessToken: tokenTtl,
      ClientCredentials: tokenTtl,
      AuthorizationCode: 60,
      IdToken: 3600,
      Interaction: 600,
      Session: 3600,
      Grant: 3600,
      RefreshToken: 24 * 3600,
    },
  };
}

/**
 * Asks at every sign-in who it is, whoever signed in with the browser before, so that one can become somebody else; and never
 * for consent, which native clients would ask for each time.
 */
function interactions() {
  const { base, Check } = interactionPolicy;
  const policy = base();
  policy.get("consent")?.checks.remove("native_client_prompt");
  policy
    .get("login")
    ?.checks.add(
      new Check("each_time", "the person is asked at each sign-in", ({ oidc }) => oidc.result?.login === undefined),
    );
  return policy;
}

/** What an access token of a person carries, the way of signing in included. */
function personalClaims(
  users: IdentityProviderOptions["users"],
  { oidc }: KoaContextWithOIDC,
  token: { readonly accountId: string },
): Record<string, unknown> {
  const user = users[token.accountId];
  if (user === undefined) return {};
  const amr = oidc.entities.AuthorizationCode?.amr ?? user.amr;
  return { email_verified: true, ...user, ...(amr === undefined ? {} : { amr }) };
}

/** The page a person signs in on: GET shows it, POST `login=<id>` signs in, POST `abort=1` does not. */
async function interact(
  provider: Provider,
  { users }: IdentityProviderOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { uid, prompt } = await provider.interactionDetails(request, response);
  if (request.method !== "POST") {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(signInPage(uid, users));
    return;
  }
  const form = new URLSearchParams(await text(request));
  const id = form.get("login") ?? "";
  const user = users[id];
  if (prompt.name !== "login" || user === undefined) {
    const denied = {
      error: "access_denied",
      error_description: "the person did not sign in <b>here</b>",
    };
    return provider.interactionFinished(request, response, denied, {
      mergeWithLastSubmission: false,
    });
  }
  return provider.interactionFinished(request, response, {
    login: { accountId: id, ...(user.amr === undefined ? {} : { amr: [...user.amr] }) },
  });
}
