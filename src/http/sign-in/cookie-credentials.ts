import type { IncomingMessage } from "node:http";
import type { Credentials } from "../../domain/identity/authentication.ts";
import { isSecureUrl } from "../../domain/identity/secure-url.ts";
import { cookieNames, cookieOf } from "./cookies.ts";

type Request = Pick<IncomingMessage, "headers" | "method">;

/**
 * What the cookie of a request to the API presents: undefined without one, and for every request that a page of another
 * site could have made the browser send. That leaves POSTs of JSON, and WebSocket upgrades, from a page of our own.
 */
export function cookieCredentials(request: Request, publicUrl: string): Credentials | undefined {
  const { headers, method } = request;
  const upgrading = method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
  const posting = method === "POST" && mediaType(headers["content-type"]) === "application/json";
  if (!upgrading && !posting) return undefined;
  // Browsers name the origin of every upgrade; only what is none leaves it out.
  if (upgrading ? !isOwnOrigin(headers.origin, publicUrl) : !isFromHere(request, publicUrl)) return undefined;
  return sessionCookie(request, publicUrl);
}

/** The session in the cookie of a request, wherever that came from: for what changes nothing and is read by no other site. */
export function sessionCookie(request: Pick<IncomingMessage, "headers">, publicUrl: string): Credentials | undefined {
  if (!isSecureUrl(publicUrl)) return undefined;
  const token = cookieOf(request, cookieNames(publicUrl).session);
  return token === undefined || token === "" ? undefined : { scheme: "Cookie", token };
}

/**
 * Whether a page of this server or the user sent a request: by Origin or, if the browser sends none, by its fetch metadata
 * (W3C Fetch Metadata Request Headers, section 2.3). False when the request has neither.
 */
export function isFromHere({ headers }: Pick<IncomingMessage, "headers">, publicUrl: string): boolean {
  if (headers.origin !== undefined) return isOwnOrigin(headers.origin, publicUrl);
  const site = headers["sec-fetch-site"];
  return site === "same-origin" || site === "none";
}

function isOwnOrigin(origin: string | undefined, publicUrl: string): boolean {
  return origin !== undefined && origin === new URL(publicUrl).origin;
}

function mediaType(contentType: string | undefined): string | undefined {
  return contentType?.split(";", 1)[0]?.trim().toLowerCase();
}
