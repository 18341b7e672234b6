import { text } from "node:stream/consumers";
import {
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from "jose";
import { type Handler, type LocalServer, sendJson, startLocalServer } from "./http-server.ts";

export const TOKEN_ISSUER = "https://api.botframework.com";
const OPENID_PATH = "/v1/.well-known/openidconfiguration";
const KEYS_PATH = "/v1/.well-known/keys";
const SCOPE = `${TOKEN_ISSUER}/.default`;
const FORM = "application/x-www-form-urlencoded";

export interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly pem: string;
  /** As it is published, with the channels it may sign for. */
  readonly jwk: JWK & { readonly endorsements?: readonly string[] };
}

/** An app that was registered for a bot. */
export interface BotApp {
  readonly appId: string;
  readonly appPassword: string;
  readonly tenantId: string;
}

/**
 * The two services that a bot trusts, as they are on the wire: login.botframework.com, which publishes the keys that requests to bots are
 * signed with, and the token endpoint of the Microsoft identity platform, from which a bot gets its own tokens.
 */
export interface IdentityServices {
  readonly server: LocalServer;
  readonly openIdUrl: string;
  readonly loginUrl: string;
  readonly asked: { openId: number; keys: number; tokens: number };
  /** Published; tests change it. */
  keys: SigningKey[];
  /** Responses in place of the ordinary ones, by path. */
  readonly answers: Map<string, Handler>;
  /** Seconds for which tokens of bots are valid. */
  tokenTtl: number;
  /** Whether `authorization` has a token that this service gave to the app and that is valid at `at`, in milliseconds. */
  accepts(authorization: string | undefined, at?: number): Promise<boolean>;
  /** Makes every token that was given so far invalid. */
  revoke(): void;
}

export async function createSigningKey(
  kid: string,
  endorsements: readonly string[] | undefined = ["msteams"],
): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, x5t: kid, use: "sig", ...(endorsements && { endorsements }) };
  return { kid, privateKey, pem: await exportSPKI(publicKey), jwk };
}

/** A token of the Bot Framework, honest except for what the arguments say; a claim of `undefined` is left out. */
export async function signToken(key: SigningKey, claims: JWTPayload): Promise<string> {
  const stated = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
  return new SignJWT(stated)
    .setProtectedHeader({ alg: "RS256", kid: key.kid, x5t: key.kid, typ: "JWT" })
    .sign(key.privateKey);
}

export async function startIdentityServices(app: BotApp): Promise<IdentityServices> {
  const asked = { openId: 0, keys: 0, tokens: 0 };
  const answers: IdentityServices["answers"] = new Map();
  const own = await generateKeyPair("RS256");
  let generation = 0;
  const tokenPath = `/${app.tenantId}/oauth2/v2.0/token`;

  const giveToken: Handler = async (request, response) => {
    const form = new URLSearchParams(await text(request));
    const refuse = (status: number, error: string, description: string) =>
      sendJson(response, status, { error, error_description: description, error_codes: [] });
    if (request.method !== "POST" || request.headers["content-type"]?.split(";")[0] !== FORM) {
      return refuse(400, "invalid_request", "AADSTS900144: the request has to be a form");
    }
    if (form.get("grant_type") !== "client_credentials") return refuse(400, "unsupported_grant_type", "AADSTS70003");
    if (form.get("client_id") !== app.appId) return refuse(400, "unauthorized_client", "AADSTS700016: no such app");
    if (form.get("client_secret") !== app.appPassword)
      return refuse(401, "invalid_client", "AADSTS7000215: bad secret");
    if (form.get("scope") !== SCOPE) return refuse(400, "invalid_scope", "AADSTS70011");
    const now = Math.floor(Date.now() / 1000);
    const token = await new SignJWT({ appid: app.appId, tid: app.tenantId, generation, serial: asked.tokens })
      .setProtectedHeader({ alg: "RS256", typ: "JWT" })
      .setIssuer(`https://sts.windows.net/${app.tenantId}/`)
      .setAudience(TOKEN_ISSUER)
      .setIssuedAt(now)
      .setExpirationTime(now + services.tokenTtl)
      .sign(own.privateKey);
    return sendJson(response, 200, {
      token_type: "Bearer",
      expires_in: services.tokenTtl,
      ext_expires_in: services.tokenTtl,
      access_token: token,
    });
  };

  const server = await startLocalServer((request, response) => {
    const path = new URL(request.url ?? "", "http://localhost").pathname;
    if (path === OPENID_PATH) asked.openId += 1;
    if (path === KEYS_PATH) asked.keys += 1;
    if (path === tokenPath) asked.tokens += 1;
    const answer = answers.get(path);
    if (answer !== undefined) return answer(request, response);
    if (path === tokenPath) return giveToken(request, response);
    if (request.method !== "GET") return void response.writeHead(405).end();
    if (path === OPENID_PATH) {
      return sendJson(response, 200, {
        issuer: TOKEN_ISSUER,
        authorization_endpoint: "https://invalid.botframework.com",
        jwks_uri: server.url + KEYS_PATH,
        id_token_signing_alg_values_supported: ["RS256"],
        token_endpoint_auth_methods_supported: ["private_key_jwt"],
      });
    }
    if (path === KEYS_PATH) return sendJson(response, 200, { keys: services.keys.map(({ jwk }) => jwk) });
    return void response.writeHead(404).end();
  });

  const services: IdentityServices = {
    server,
    openIdUrl: server.url + OPENID_PATH,
    loginUrl: server.url,
    asked,
    keys: [await createSigningKey("bot-framework-1")],
    answers,
    tokenTtl: 3600,
    async accepts(authorization, at = Date.now()) {
      const [scheme, token = ""] = (authorization ?? "").split(" ");
      if (scheme !== "Bearer") return false;
      const options = { audience: TOKEN_ISSUER, algorithms: ["RS256"], currentDate: new Date(at) };
      const verified = await jwtVerify(token, own.publicKey, options).catch(() => undefined);
      return verified?.payload.appid === app.appId && verified.payload.generation === generation;
    },
    revoke() {
      generation += 1;
    },
  };
  return services;
}
