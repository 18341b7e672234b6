import type { Principal } from "./principal.ts";

/**
 * What a call presents: an access token and, for a token bound to a key, the proof of holding it (RFC 9449). "Cookie": a
 * browser sent a token of our own along by itself, which no other token may come by and no other way may bring.
 */
export interface Credentials {
  readonly scheme: "Bearer" | "DPoP" | "Cookie";
  readonly token: string;
  readonly proof?: Proof | undefined;
}

/** A DPoP proof and the request it has to be about. `url` has neither query nor fragment. */
export interface Proof {
  readonly jwt: string;
  readonly method: string;
  readonly url: string;
}

/** A token that was believed, and everything it says. */
export interface Authentication {
  /** As the issuer's claims describe it. */
  readonly principal: Principal;
  readonly issuer: string;
  /** Seconds since the epoch from which the token counts no more: its `exp`, and what the issuer's clock may be off by. */
  readonly expiresAt: number;
  /** `jti`. */
  readonly tokenId?: string | undefined;
  /**
   * How the principal signed in: `password`, `google`, `passkey`, …; `client-credentials`, `token-exchange`;
   * `openid-connect` for a browser at a provider that does not say; `bearer-token` for a token that does not.
   */
  readonly method: string;
  /** The OAuth client the token was issued to: `client_id` or `azp`. */
  readonly clientId?: string | undefined;
  /** RFC 7638 thumbprint of the key the token is bound to, whose possession was proven. */
  readonly key?: string | undefined;
  /** The session the token belongs to, if it is one of our own browser sessions: a UUID. */
  readonly sessionId?: string | undefined;
}
