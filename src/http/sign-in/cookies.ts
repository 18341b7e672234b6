import type { IncomingMessage } from "node:http";
import { parseCookie, stringifySetCookie } from "cookie";

/** Browsers keep no cookie whose name, value and attributes are together longer (RFC 6265, section 6.1). */
const MAX_COOKIE = 4_000;

/** The names of our cookies. With `__Host-` a browser takes and keeps them for this very host, over https alone. */
export function cookieNames(publicUrl: string): {
  readonly session: string;
  readonly transaction: string;
} {
  const prefix = isHttps(publicUrl) ? "__Host-" : "";
  return {
    session: `${prefix}countersign`,
    transaction: `${prefix}countersign-sign-in`,
  };
}

/** The one value of a cookie; undefined when it is not there, and when it is there twice: which one would count? */
export function cookieOf({ headers }: Pick<IncomingMessage, "headers">, name: string): string | undefined {
  // A pair at a time: of two with one name the library returns the first.
  const values = (headers.cookie ?? "").split(";").flatMap((pair) => parseCookie(pair)[name] ?? []);
  return values.length === 1 ? values[0] : undefined;
}

/** Whether a browser keeps a cookie with this value. */
export function fitsCookie(name: string, value: string): boolean {
  return name.length + value.length + 100 <= MAX_COOKIE;
}

/** A Set-Cookie line. `maxAge` is in seconds; 0 takes the cookie away. No script sees it, and no other site's POST brings it. */
export function setCookie(publicUrl: string, name: string, value: string, maxAge: number): string {
  const secure = isHttps(publicUrl);
  return stringifySetCookie({ name, value, maxAge, path: "/", httpOnly: true, sameSite: "lax", secure });
}

function isHttps(publicUrl: string): boolean {
  return publicUrl.startsWith("https:");
}
