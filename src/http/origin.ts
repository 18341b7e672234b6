import { isIPv6 } from "node:net";

/** Where a server listens. */
export interface Listening {
  /** A host name or an IP address, without brackets and without a zone. */
  readonly host: string;
  readonly port: number;
  /** Whether it speaks TLS. */
  readonly secure: boolean;
}

/**
 * Scheme, host and port as in a URL (RFC 6454, section 6.2): an IPv6 address in brackets (RFC 3986, section 3.2.2), and no port
 * where it is that of the scheme.
 */
export function originOf({ host, port, secure }: Listening): string {
  return new URL(`${secure ? "https" : "http"}://${isIPv6(host) ? `[${host}]` : host}:${port}`).origin;
}
