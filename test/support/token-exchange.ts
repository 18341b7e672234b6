import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  EmbeddedJWK,
  type JWK,
  errors as joseErrors,
  jwtVerify,
} from "jose";
import {
  errors,
  type KoaContextWithOIDC,
  type ResourceServerInstance,
  type TokenEndpointGrantContext,
} from "oidc-provider";
import type { ProviderAgent } from "./identity-provider.ts";

export const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
export const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
export const EXCHANGE_PARAMETERS = ["subject_token", "subject_token_type", "requested_token_type", "scope", "resource"];

interface Exchange {
  readonly subject_token?: string;
  readonly subject_token_type?: string;
}

/** Claims of the tokens that are being exchanged, by request. */
const exchanged = new WeakMap<object, Record<string, unknown>>();

export function exchangedClaims(context: KoaContextWithOIDC): Record<string, unknown> | undefined {
  return exchanged.get(context);
}

export interface TokenExchangeOptions {
  readonly issuer: string;
  /** The key pairs whose tokens are taken. */
  readonly keys: () => readonly JWK[];
  readonly agents: Readonly<Record<string, ProviderAgent>>;
  readonly resourceServer: ResourceServerInstance;
}

/**
 * The grant of RFC 8693 for delegation: the subject of the token stays the person, `act` names the agent that asks. The
 * provider has none of its own.
 */
export function tokenExchange({ issuer, keys, agents, resourceServer }: TokenExchangeOptions) {
  return async (context: TokenEndpointGrantContext<Exchange>): Promise<void> => {
    const { provider, client, params } = context.oidc;
    if (params.subject_token_type !== ACCESS_TOKEN || params.subject_token === undefined) {
      throw new errors.InvalidRequest("the subject token has to be an access token");
    }
    const { sub, name, email, email_verified, roles, groups, amr, act } = await verified(
      params.subject_token,
      issuer,
      keys(),
    );
    const actor = { sub: client.clientId, ...agents[client.clientId]?.claims };
    exchanged.set(context, {
      name,
      email,
      email_verified,
      roles,
      groups,
      amr,
      act: act === undefined ? actor : { ...actor, act },
    });
    const token = new provider.AccessToken({
      accountId: String(sub),
      client,
      resourceServer,
      scope: resourceServer.scope,
      grantId: "",
      gty: "token-exchange",
    });
    const key = await provenKey(context);
    if (key !== undefined) token.setThumbprint("jkt", key);
    context.body = {
      access_token: await token.save(),
      issued_token_type: ACCESS_TOKEN,
      token_type: token.tokenType,
      expires_in: token.expiration,
    };
  };
}

async function verified(token: string, issuer: string, keys: readonly JWK[]) {
  const published = keys.map(({ kid, kty, crv, x, y, n, e, alg }) => ({ kid, kty, crv, x, y, n, e, alg }) as JWK);
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: published }), { issuer, typ: "at+jwt" });
    return payload;
  } catch (error) {
    if (error instanceof joseErrors.JOSEError) throw new errors.InvalidGrant("the subject token is not one of ours");
    throw error;
  }
}

/** The thumbprint of the key a DPoP proof (RFC 9449) was signed with; undefined without one. */
async function provenKey({ req, oidc }: TokenEndpointGrantContext): Promise<string | undefined> {
  const proof = req.headers.dpop;
  if (typeof proof !== "string") return undefined;
  const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
    typ: "dpop+jwt",
    maxTokenAge: 60,
  });
  if (payload.htm !== "POST" || payload.htu !== oidc.urlFor("token")) throw new errors.InvalidDpopProof("not for here");
  return calculateJwkThumbprint(protectedHeader.jwk as JWK);
}
