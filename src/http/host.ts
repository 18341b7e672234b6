import type { IncomingMessage } from "node:http";

const NOT_IN_HOST = /[/?#@\\\s]/;

/**
 * Whether the Host header, if there is one, names a host and perhaps a port (RFC 9112, section 3.2). No URL of the request can be
 * made with another one.
 */
export function hasValidHost({ headers: { host } }: Pick<IncomingMessage, "headers">): boolean {
  if (host === undefined) return true;
  return !NOT_IN_HOST.test(host) && URL.canParse(`http://${host}`);
}
