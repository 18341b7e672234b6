import { createHash, randomBytes, randomUUID } from "node:crypto";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { type Browser, openBrowser, type Visit } from "./browser.ts";
import { NATIVE_CLIENT, NATIVE_REDIRECT, type IdentityProvider as Provider } from "./identity-provider.ts";
import { ACCESS_TOKEN, TOKEN_EXCHANGE } from "./token-exchange.ts";

/** What a client has to know of a provider. */
type IdentityProvider = Pick<Provider, "issuer" | "resource" | "tokenEndpoint">;

/** A key of an agent that proves with each request that it holds it (RFC 9449). */
export interface DpopKey {
  readonly jwk: JWK;
  proof(request: ProofRequest): Promise<string>;
}

export interface ProofRequest {
  readonly method: string;
  readonly url: string;
  /** The access token the proof goes with. */
  readonly token?: string;
  /** Seconds since the epoch; now when left out. */
  readonly issuedAt?: number;
  readonly id?: string;
}

export interface Tokens {
  readonly access_token: string;
  readonly token_type: string;
  readonly id_token?: string;
}

export async function makeDpopKey(): Promise<DpopKey> {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const jwk = await exportJWK(publicKey);
  return { jwk, proof: (request) => proofOf(request, jwk, privateKey) };
}

function proofOf({ method, url, token, issuedAt, id }: ProofRequest, jwk: JWK, key: CryptoKey): Promise<string> {
  const ath = token === undefined ? {} : { ath: createHash("sha256").update(token).digest("base64url") };
  return new SignJWT({ htm: method, htu: url, ...ath })
    .setProtectedHeader({ alg: "ES256", typ: "dpop+jwt", jwk })
    .setIssuedAt(issuedAt)
    .setJti(id ?? randomUUID())
    .sign(key);
}

/** Goes to `start`, signs in as `user` on the provider's page (nobody: refuses to), and follows to `until` or to the end. */
export async function signInAt(
  browser: Browser,
  start: string | URL,
  user: string | undefined,
  until?: string,
): Promise<Visit> {
  const arrived = await browser.open(start, {}, until);
  if (!arrived.url.pathname.startsWith("/interaction/")) return arrived;
  await arrived.response.body?.cancel();
  const body = new URLSearchParams(user === undefined ? { abort: "1" } : { login: user });
  return browser.open(arrived.url, { method: "POST", body }, until);
}

/** The authorization code flow with PKCE, as a native program runs it. */
export async function codeFlow(provider: IdentityProvider, user: string, key?: DpopKey): Promise<Tokens> {
  const verifier = randomBytes(32).toString("base64url");
  const start = new URL("/auth", provider.issuer);
  start.search = new URLSearchParams({
    client_id: NATIVE_CLIENT,
    response_type: "code",
    redirect_uri: NATIVE_REDIRECT,
    scope: "openid profile email act",
    resource: provider.resource,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  }).toString();
  const { url, response } = await signInAt(openBrowser(), start, user, NATIVE_REDIRECT);
  const code = url.searchParams.get("code");
  if (code === null) throw new Error(`no code, but ${url.href}: ${await response.text()}`);
  return ask(provider, key, {
    grant_type: "authorization_code",
    client_id: NATIVE_CLIENT,
    redirect_uri: NATIVE_REDIRECT,
    code,
    code_verifier: verifier,
  });
}

interface Client {
  readonly id: string;
  readonly secret: string;
}

export function clientCredentials(provider: IdentityProvider, client: Client, key?: DpopKey): Promise<Tokens> {
  return ask(
    provider,
    key,
    {
      grant_type: "client_credentials",
      resource: provider.resource,
      scope: "act",
    },
    client,
  );
}

/** A token with which `client` acts for the person of `subjectToken` (RFC 8693). */
export function exchangeToken(
  provider: IdentityProvider,
  client: Client,
  subjectToken: string,
  key?: DpopKey,
): Promise<Tokens> {
  const form = {
    subject_token: subjectToken,
    subject_token_type: ACCESS_TOKEN,
    resource: provider.resource,
  };
  return ask(provider, key, { grant_type: TOKEN_EXCHANGE, ...form }, client);
}

async function ask(
  { tokenEndpoint: url }: IdentityProvider,
  key: DpopKey | undefined,
  form: Record<string, string>,
  client?: Client,
): Promise<Tokens> {
  const headers = new Headers();
  if (client !== undefined) {
    headers.set("authorization", `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString("base64")}`);
  }
  if (key !== undefined) headers.set("dpop", await key.proof({ method: "POST", url }));
  const response = await fetch(url, {
    method: "POST",
    headers,
    body: new URLSearchParams(form),
  });
  if (!response.ok) throw new Error(`the token endpoint answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Tokens;
}
