import type { WithheldBecause } from "../../facts/payload.ts";
import type { SignInAssurance } from "./assurance.ts";

export type PrincipalKind = "HUMAN" | "AGENT" | "SERVICE";

/** Who calls, as proven by a token. An agent that acts for a person carries that person in `onBehalfOf`. */
export interface Principal {
  readonly id: string;
  readonly kind: PrincipalKind;
  readonly organization: string;
  readonly email?: string;
  /** True where who signed the person in says that they are reached at the address. */
  readonly emailVerified?: boolean;
  readonly displayName?: string;
  /** Of one that an entry recorded: why neither can be known, though they were recorded. */
  readonly withheld?: WithheldBecause;
  /** Where the person is, as their provider says: a region, as platforms have one. */
  readonly region?: string;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly onBehalfOf?: Principal;
  /** Platforms an invited agent may act on; undefined: those of the catalog. */
  readonly platforms?: readonly string[];
}

/** Which client and model made the call, as the server saw it, and how sure it is (best first). */
export type Confidence = "SIGNED" | "REGISTERED" | "NETWORK" | "HEADER" | "UNKNOWN";
export interface ClientIdentity {
  readonly name: string;
  readonly version?: string;
  /** The surface of a client that has several: `cli`, `desktop`, `vscode`, `web`. */
  readonly surface?: string;
  readonly confidence: Confidence;
  readonly model?: string;
  readonly modelConfidence: Confidence;
  /** Raw header values that the result is based on; recorded as an erasable value. */
  readonly evidence: { readonly [header: string]: string };
  /** Hash of the rule table that was used: `sha256:` and 64 hex digits. */
  readonly rules?: string;
}

/** Everything about a call that the server found out itself. */
export interface Caller {
  readonly principal: Principal;
  readonly client: ClientIdentity;
  readonly traceId?: string | undefined;
  /** How the principal signed in. */
  readonly method?: string | undefined;
  /** How sure who signed them in was of them. Default: SESSION. */
  readonly assurance?: SignInAssurance | undefined;
  /**
   * The integration of ours through which the principal's decision came, a SERVICE: set by the server's own channels alone, and by nothing that a
   * caller sends. Undefined: the principal called.
   */
  readonly submittedBy?: Principal | undefined;
  /** Where the call came from: an IP address. */
  readonly address?: string | undefined;
  /** RFC 7638 thumbprint of the key the caller proved to hold. */
  readonly key?: string | undefined;
  /** The browser session the call belongs to: a UUID. */
  readonly sessionId?: string | undefined;
  /** Seconds since the epoch at which the caller's token expires. */
  readonly expiresAt?: number | undefined;
}
