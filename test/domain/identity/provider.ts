import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import { type IssuerSettings, parseIdentityFile } from "../../../src/domain/identity/identity-file.ts";

export interface ProviderKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
  readonly pem: string;
}

/** What a token is signed with and as, where a test wants it otherwise than honest. */
export interface Signing {
  readonly key?: ProviderKey;
  readonly header?: Readonly<Record<string, unknown>>;
  /** Seconds; negative for a token that is over. */
  readonly ttl?: number;
}

/** An identity provider on a port of its own: a discovery document and a key set, and nothing else. */
export interface Provider {
  readonly issuer: string;
  /** Requests that came, by path. */
  readonly asked: { discovery: number; keys: number };
  /** Published; tests change it. */
  published: ProviderKey[];
  /** Answers in place of the ordinary ones, by path. */
  readonly answers: Map<string, (response: ServerResponse) => void>;
  /** An honest token for the person p-1, except for what `claims` says; a claim of `undefined` is left out. */
  sign(claims?: JWTPayload, signing?: Signing): Promise<string>;
  settings(overrides?: object): IssuerSettings;
  /** Refuses connections until `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export const KEYS_PATH = "/keys";
export const DISCOVERY_PATH = "/.well-known/openid-configuration";

export async function createKey(kid: string, alg = "ES256"): Promise<ProviderKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: "sig" };
  return { kid, alg, privateKey, publicKey, jwk, pem: await exportSPKI(publicKey) };
}

export async function startProvider(): Promise<Provider> {
  const asked = { discovery: 0, keys: 0 };
  const answers: Provider["answers"] = new Map();
  const server = createServer((request, response) => {
    if (request.url === DISCOVERY_PATH) asked.discovery += 1;
    if (request.url === KEYS_PATH) asked.keys += 1;
    const answer = answers.get(request.url ?? "");
    if (answer !== undefined) return answer(response);
    if (request.url === DISCOVERY_PATH)
      return void response.end(JSON.stringify({ issuer, jwks_uri: issuer + KEYS_PATH }));
    if (request.url === KEYS_PATH) {
      return void response.end(JSON.stringify({ keys: provider.published.map(({ jwk }) => jwk) }));
    }
    return void response.writeHead(404).end();
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;
  const provider: Provider = {
    issuer,
    asked,
    answers,
    published: [await createKey("first")],
    async sign(claims = {}, { key = provider.published[0] as ProviderKey, header = {}, ttl = 600 } = {}) {
      const now = Math.floor(Date.now() / 1000);
      const payload = {
        iss: issuer,
        sub: "p-1",
        aud: "countersign",
        iat: now,
        exp: now + ttl,
        roles: ["approver"],
        ...claims,
      };
      const stated = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined));
      return new SignJWT(stated)
        .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "at+jwt", ...header })
        .sign(key.privateKey);
    },
    settings(overrides = {}) {
      const { issuers } = parseIdentityFile({ issuers: [{ issuer, organization: "acme", ...overrides }] });
      return issuers[0] as IssuerSettings;
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, "close");
    },
    start: () => listen(port),
  };
  return provider;
}
