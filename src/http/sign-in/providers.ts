import * as oidc from "openid-client";
import type { ProviderSession, ProviderTokens } from "../../domain/identity/browser/provider-session.ts";
import { BEARER_TOKEN, OPENID_CONNECT } from "../../domain/identity/browser/sign-in-methods.ts";
import type { SignInSettings } from "../../domain/identity/browser/sign-in-settings.ts";
import { AuthenticationError, ProviderUnavailableError } from "../../domain/identity/errors.ts";
import type { IssuerSettings } from "../../domain/identity/identity-file.ts";
import { isSecureUrl } from "../../domain/identity/secure-url.ts";
import type { ClaimsReader } from "../../domain/identity/tokens/claim-values.ts";
import { readerFor } from "../../domain/identity/tokens/claims.ts";
import { ConfigurationError } from "../../errors.ts";
import { SignInRefusal } from "./errors.ts";
import type { Transaction } from "./transaction.ts";

/** An identity provider people sign in at with a browser. */
export interface SignInProvider {
  readonly settings: SignInSettings;
  /** Where to send a browser that is to sign in. Throws SignInRefusal. */
  start(transaction: Transaction, redirectUri: string): Promise<URL>;
  /** Who signed in, by the address a browser was sent back to. Throws SignInRefusal, and AuthenticationError for claims. */
  finish(transaction: Transaction, callback: URL): Promise<ProviderSession>;
  /**
   * What the provider says now of a person who signed in: by a refresh token, whose response has an ID token or an access token
   * for UserInfo (OpenID Connect Core 1.0, sections 12 and 5.3), or by UserInfo alone. OVER: it ended its session, or says
   * nothing more about it. Throws ProviderUnavailableError.
   */
  ask(session: ProviderSession): Promise<ProviderSession | "OVER">;
  /** Where a browser ends its session at the provider, when the provider is reached and has such a place. */
  endSession(): Promise<URL | undefined>;
}

/** Seconds a request to a provider may take. */
const TIMEOUT = 5;
/** Milliseconds for which a provider's metadata is cached. */
const FRESH = 60 * 60_000;

export interface ProvidersOptions {
  readonly settings: readonly SignInSettings[];
  /** How the tokens of each issuer are read. */
  readonly issuers: readonly IssuerSettings[];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** By issuer, in the order of the settings. Fetches nothing before the first sign-in. Throws ConfigurationError. */
export function createProviders({ settings, issuers, now }: ProvidersOptions): ReadonlyMap<string, SignInProvider> {
  return new Map(
    settings.map((one) => {
      const trusted = issuers.find(({ issuer }) => issuer === one.issuer);
      if (trusted === undefined) {
        throw new ConfigurationError(`signIn names ${one.issuer}, which is not among the issuers of the identity file`);
      }
      return [one.issuer, createProvider(one, trusted, now)];
    }),
  );
}

function createProvider(settings: SignInSettings, trusted: IssuerSettings, now: () => number): SignInProvider {
  const read: ClaimsReader = readerFor(trusted);
  const metadata = remembered(() => discover(settings), now);
  // A new client for each use: a client caches the provider's keys even after the provider withdrew them.
  const discovered = async () => configure(settings, trusted, await metadata());
  return {
    settings,
    async start({ state, nonce, verifier }, redirectUri) {
      const configuration = await discovered();
      return oidc.buildAuthorizationUrl(configuration, {
        response_type: "code",
        redirect_uri: redirectUri,
        scope: settings.scopes.join(" "),
        state,
        nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
      });
    },
    async finish({ state, nonce, verifier }, callback) {
      const configuration = await discovered();
      const granted = await oidc
        .authorizationCodeGrant(configuration, callback, {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: verifier,
          idTokenExpected: true,
        })
        .catch((error: unknown) => {
          throw asRefusal(error);
        });
      const claims = granted.claims();
      if (claims === undefined) throw new SignInRefusal("ID_TOKEN_REFUSED");
      const identity = read({ ...claims });
      return {
        // `amr` is optional; without it the method is still known to be a browser sign-in.
        identity: identity.method === BEARER_TOKEN ? { ...identity, method: OPENID_CONNECT } : identity,
        subject: claims.sub,
        tokens: tokensOf(granted),
      };
    },
    async ask({ identity: before, subject, tokens }) {
      try {
        const configuration = await discovered();
        const { claims, tokens: next } = await askAgain(configuration, subject, tokens);
        if (claims.sub !== subject) return "OVER";
        const { principal } = read({ ...claims });
        // How the person signed in has not changed; a refreshed token does not say it again.
        return { identity: { ...before, principal }, subject, tokens: next };
      } catch (error) {
        if (isOver(error, tokens)) return "OVER";
        throw new ProviderUnavailableError(asRefusal(error));
      }
    },
    async endSession() {
      const configuration = await discovered().catch((error: unknown) => {
        if (error instanceof SignInRefusal) return undefined;
        throw error;
      });
      const place = configuration?.serverMetadata().end_session_endpoint;
      if (configuration === undefined || place === undefined || !isSecureUrl(place)) return undefined;
      return oidc.buildEndSessionUrl(configuration, {});
    },
  };
}

type TokenResponse = Awaited<ReturnType<typeof oidc.refreshTokenGrant>>;

/** An access token is kept when there is nothing better: it is long, and of use until it expires. */
function tokensOf({ refresh_token: refreshToken, access_token: accessToken }: TokenResponse): ProviderTokens {
  return refreshToken === undefined ? { accessToken } : { refreshToken };
}

async function askAgain(
  configuration: oidc.Configuration,
  subject: string,
  { refreshToken, accessToken = "" }: ProviderTokens,
): Promise<{ readonly claims: oidc.IDToken | oidc.UserInfoResponse; readonly tokens: ProviderTokens }> {
  if (refreshToken === undefined) {
    return { claims: await oidc.fetchUserInfo(configuration, accessToken, subject), tokens: { accessToken } };
  }
  const response = await oidc.refreshTokenGrant(configuration, refreshToken);
  const claims = response.claims() ?? (await oidc.fetchUserInfo(configuration, response.access_token, subject));
  return { claims, tokens: { refreshToken: response.refresh_token ?? refreshToken } };
}

/** Errors of a token endpoint that say that the person has to sign in again (RFC 6749, section 5.2; OpenID Connect Core, 3.1.2.6). */
const SESSION_ERRORS = ["invalid_grant", "login_required", "interaction_required", "consent_required"];

/** Whether the provider said that its session, or what we may know of it, is over. */
function isOver(error: unknown, { refreshToken }: ProviderTokens): boolean {
  // Claims that would not let anybody sign in.
  if (error instanceof AuthenticationError) return true;
  if (error instanceof oidc.ResponseBodyError && SESSION_ERRORS.includes(error.error)) return true;
  // The only token there is has expired or was revoked (RFC 6750, section 3.1).
  return refreshToken === undefined && error instanceof oidc.WWWAuthenticateChallengeError && error.status === 401;
}

/** Caches the result of `load` for `FRESH`; does not cache failures. */
function remembered<Value>(load: () => Promise<Value>, now: () => number): () => Promise<Value> {
  let known: { readonly value: Promise<Value>; readonly until: number } | undefined;
  return () => {
    if (known !== undefined && now() < known.until) return known.value;
    const value = load();
    const latest = { value, until: now() + FRESH };
    known = latest;
    value.catch(() => {
      if (known === latest) known = undefined;
    });
    return value;
  };
}

async function discover({ issuer, clientId }: SignInSettings): Promise<oidc.ServerMetadata> {
  const options = { timeout: TIMEOUT, execute: exceptionsFor(issuer) };
  const found = await oidc
    .discovery(new URL(issuer), clientId, undefined, oidc.None(), options)
    .catch((error: unknown) => {
      throw asRefusal(error);
    });
  const { supportsPKCE: _, ...metadata } = found.serverMetadata();
  // http is accepted on this machine only.
  const places = [metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri];
  if (metadata.issuer !== issuer || !places.every((place) => place !== undefined && isSecureUrl(place))) {
    throw new SignInRefusal("PROVIDER_FAILED");
  }
  return metadata;
}

function configure(
  { issuer, clientId, clientSecret }: SignInSettings,
  { clockTolerance }: IssuerSettings,
  metadata: oidc.ServerMetadata,
): oidc.Configuration {
  const configuration = new oidc.Configuration(
    metadata,
    clientId,
    { [oidc.clockTolerance]: clockTolerance },
    clientAuthentication(clientSecret, metadata.token_endpoint_auth_methods_supported),
  );
  configuration.timeout = TIMEOUT;
  for (const allow of exceptionsFor(issuer)) allow(configuration);
  // The token endpoint is authentic already; signatures are verified all the same.
  oidc.enableNonRepudiationChecks(configuration);
  return configuration;
}

/** A provider on this machine may speak http. */
function exceptionsFor(issuer: string): ((configuration: oidc.Configuration) => void)[] {
  return issuer.startsWith("http:") ? [oidc.allowInsecureRequests] : [];
}

/** OpenID Connect Discovery 1.0, section 3: without a list, `client_secret_basic`. */
function clientAuthentication(secret: string | undefined, supported: readonly string[] | undefined): oidc.ClientAuth {
  if (secret === undefined) return oidc.None();
  const byPost = supported?.includes("client_secret_basic") === false;
  return byPost ? oidc.ClientSecretPost(secret) : oidc.ClientSecretBasic(secret);
}

/** The refusal for an error of the provider, without its texts, which must not be shown. */
function asRefusal(error: unknown): unknown {
  if (error instanceof oidc.AuthorizationResponseError) {
    return new SignInRefusal(error.error === "access_denied" ? "DENIED" : "PROVIDER_FAILED");
  }
  if (error instanceof oidc.ResponseBodyError) {
    return new SignInRefusal(
      error.error === "invalid_grant" ? "CODE_REFUSED" : "PROVIDER_FAILED",
      causeOf(error.error),
    );
  }
  // Thrown by fetch when there is no response.
  if (error instanceof TypeError) return new SignInRefusal("PROVIDER_UNAVAILABLE", causeOf(reasonOf(error)));
  if (error instanceof oidc.ClientError)
    return new SignInRefusal(codeOf(error.code), causeOf(error.code ?? error.message));
  if (error instanceof oidc.WWWAuthenticateChallengeError)
    return new SignInRefusal("PROVIDER_FAILED", causeOf(error.message));
  return error;
}

/** The cause for the log: a short code from the provider. */
function causeOf(reason: string): Error {
  return new Error(reason.slice(0, 100));
}

function reasonOf({ message, cause }: TypeError): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return `${message} ${code}`.trim();
}

function codeOf(code: string | undefined): "PROVIDER_UNAVAILABLE" | "PROVIDER_FAILED" | "ID_TOKEN_REFUSED" {
  if (code === "OAUTH_TIMEOUT" || code === "OAUTH_ABORT") return "PROVIDER_UNAVAILABLE";
  if (code === "OAUTH_RESPONSE_IS_NOT_CONFORM" || code === "OAUTH_RESPONSE_IS_NOT_JSON") return "PROVIDER_FAILED";
  return "ID_TOKEN_REFUSED";
}
