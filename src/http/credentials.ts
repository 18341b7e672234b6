import type { IncomingMessage } from "node:http";
import type { Credentials } from "../domain/identity/authentication.ts";
import { graphqlError } from "../graphql/base/errors.ts";

type Headers = Pick<IncomingMessage, "rawHeaders">;

/** The one value of a header that must not come twice: which one would count? */
function single({ rawHeaders }: Headers, name: string): string | undefined {
  let found: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== name) continue;
    if (found !== undefined) throw graphqlError("UNAUTHENTICATED", `Send one ${name} header, not two.`);
    found = rawHeaders[at + 1] ?? "";
  }
  return found;
}

/** The `Authorization` header of a request; undefined when there is none. */
export function authorizationOf(request: Headers): string | undefined {
  return single(request, "authorization");
}

/** What a proof of possession has to be about: the method and the address of the request, without its query. */
export interface ProofTarget {
  readonly method: string;
  readonly url: string;
}

/**
 * `Bearer <token>` (RFC 6750, section 2.1), or `DPoP <token>` (RFC 9449, section 7.1) with its proof. Throws
 * UNAUTHENTICATED for anything else.
 */
export function credentials(authorization: string, proof: string | undefined, target: ProofTarget): Credentials {
  const [, name = "", token = ""] = /^(Bearer|DPoP) +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization.trim()) ?? [];
  if (token === "") {
    throw graphqlError("UNAUTHENTICATED", "The Authorization header is not `Bearer <token>` or `DPoP <token>`.");
  }
  if (name.toLowerCase() === "bearer") return { scheme: "Bearer", token };
  return { scheme: "DPoP", token, ...(proof === undefined ? {} : { proof: { jwt: proof, ...target } }) };
}

/** What a request presents in its headers; undefined when that is nothing. */
export function credentialsOf(
  request: Pick<IncomingMessage, "rawHeaders" | "method" | "url">,
  publicUrl: string,
): Credentials | undefined {
  const authorization = authorizationOf(request);
  if (authorization === undefined) return undefined;
  const url = new URL(request.url?.split("?", 1)[0] ?? "/", publicUrl).href;
  return credentials(authorization, single(request, "dpop"), { method: request.method ?? "GET", url });
}

/** The password of `Basic <credentials>` (RFC 7617): a browser sends a token this way, from its password prompt. */
export function basicPassword(authorization: string): string | undefined {
  const [, encoded] = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization.trim()) ?? [];
  const text = encoded === undefined ? "" : Buffer.from(encoded, "base64").toString();
  return text.includes(":") ? text.slice(text.indexOf(":") + 1) : undefined;
}
