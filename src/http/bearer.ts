import type { IncomingMessage } from "node:http";
import { graphqlError } from "../graphql/errors.ts";

/** The `Authorization` header of a request; undefined when there is none. Two of them are refused: which one counts? */
export function authorizationOf({ rawHeaders }: Pick<IncomingMessage, "rawHeaders">): string | undefined {
  let found: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== "authorization") continue;
    if (found !== undefined) throw graphqlError("UNAUTHENTICATED", "Send one Authorization header, not two.");
    found = rawHeaders[at + 1] ?? "";
  }
  return found;
}

/** The token of `Bearer <token>` (RFC 6750, section 2.1). Throws UNAUTHENTICATED for anything else. */
export function bearerToken(authorization: string): string {
  const [, token] = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization.trim()) ?? [];
  if (token === undefined) throw graphqlError("UNAUTHENTICATED", "The Authorization header is not `Bearer <token>`.");
  return token;
}

/** The password of `Basic <credentials>` (RFC 7617): how a browser that only knows a password prompt hands over a token. */
export function basicPassword(authorization: string): string | undefined {
  const [, credentials] = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization.trim()) ?? [];
  const text = credentials === undefined ? "" : Buffer.from(credentials, "base64").toString();
  return text.includes(":") ? text.slice(text.indexOf(":") + 1) : undefined;
}
