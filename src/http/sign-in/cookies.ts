import type { IncomingMessage } from "node:http";

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
  const values = (headers.cookie ?? "").split(";").flatMap((pair) => {
    const at = pair.indexOf("=");
    return at !== -1 && pair.slice(0, at).trim() === name ? [pair.slice(at + 1).trim()] : [];
  });
  return values.length === 1 ? values[0] : undefined;
}

/** Whether a browser keeps a cookie with this value. */
export function fitsCookie(name: string, value: string): boolean {
  return name.length + value.length + 100 <= MAX_COOKIE;
}

/** A Set-Cookie line. `maxAge` is in seconds; 0 takes the cookie away. No script sees it, and no other site's POST brings it. */
export function setCookie(publicUrl: string, name: string, value: string, maxAge: number): string {
  const secure = isHttps(publicUrl) ? "; Secure" : "";
  return `${name}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure}`;
}

function isHttps(publicUrl: string): boolean {
  return publicUrl.startsWith("https:");
}
