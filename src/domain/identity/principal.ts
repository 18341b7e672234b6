export type PrincipalKind = "HUMAN" | "AGENT" | "SERVICE";

/** Who calls, as proven by a token. An agent that acts for a person carries that person in `onBehalfOf`. */
export interface Principal {
  readonly id: string;
  readonly kind: PrincipalKind;
  readonly organization: string;
  readonly email?: string;
  readonly displayName?: string;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly onBehalfOf?: Principal;
}

/** Which client and model made the call, as the server saw it, and how sure it is (best first). */
export type Confidence = "SIGNED" | "REGISTERED" | "NETWORK" | "HEADER" | "UNKNOWN";
export interface ClientIdentity {
  readonly name: string;
  readonly version?: string;
  readonly confidence: Confidence;
  readonly model?: string;
  readonly modelConfidence: Confidence;
  /** Raw header values the answer rests on; recorded as an erasable value. */
  readonly evidence: { readonly [header: string]: string };
}

/** Everything about a call that the server found out itself. */
export interface Caller {
  readonly principal: Principal;
  readonly client: ClientIdentity;
  readonly traceId?: string;
}
