import type { SignInAssurance } from "./assurance.ts";
import type { Principal } from "./principal.ts";

/**
 * The credentials of a call: an access token and, for a token bound to a key, the proof of that key (RFC 9449). "Cookie": a
 * session token that a browser sent automatically. Only session tokens are accepted in a cookie, and only there.
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

/** The result of verifying a token. */
export interface Authentication {
  /** As the issuer's claims describe it. */
  readonly principal: Principal;
  readonly issuer: string;
  /** Seconds since the epoch from which the token is refused: its `exp` plus the clock tolerance of the issuer. */
  readonly expiresAt: number;
  /** `jti`. */
  readonly tokenId?: string | undefined;
  /**
   * How the principal signed in: `password`, `google`, `passkey`, …; `client-credentials`, `token-exchange`;
   * `openid-connect` for a browser sign-in at a provider that does not report it; `bearer-token` for a token without it.
   */
  readonly method: string;
  /** How sure the issuer was of the person, by `acr` and `amr`. Default: SESSION, which says nothing beyond a token. */
  readonly assurance?: SignInAssurance | undefined;
  /** The OAuth client the token was issued to: `client_id` or `azp`. */
  readonly clientId?: string | undefined;
  /** RFC 7638 thumbprint of the key the token is bound to, whose possession was proven. */
  readonly key?: string | undefined;
  /** The session the token belongs to, if it is one of our own browser sessions: a UUID. */
  readonly sessionId?: string | undefined;
}
