/** A request to another service, on behalf of an organization. */
export interface OutboundRequest {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds for the whole exchange. Default: 10,000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

export interface OutboundResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** At most 1 MiB; what is longer is refused. */
  readonly body: string;
}

/**
 * Sends a request to a public address, or one that the operator permits: the name is resolved once, and the address that was looked at is the
 * one that is connected to. Redirects are not followed. Throws DeliveryError where no response came.
 */
export type Outbound = (request: OutboundRequest) => Promise<OutboundResponse>;
